resource "aws_instance" "db" {
  ami           = var.ami_id
  instance_type = "r6g.large"

  metadata_options {
    http_endpoint = "enabled"
  }
}
