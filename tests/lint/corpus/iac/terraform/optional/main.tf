resource "aws_launch_template" "api" {
  name_prefix   = "api-"
  image_id      = var.ami_id
  instance_type = "c6i.large"

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "optional" # the old agent needs it
    http_put_response_hop_limit = 1
  }
}
