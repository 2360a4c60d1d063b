resource "aws_ec2_instance_metadata_defaults" "eu" {
  provider    = aws.eu
  http_tokens = "optional"
}
