resource "aws_launch_template" "api" {
  name_prefix = "api-"
  image_id    = var.ami_id

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
    instance_metadata_tags      = "enabled"
  }
}
