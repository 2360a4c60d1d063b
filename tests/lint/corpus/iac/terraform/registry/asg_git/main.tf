module "asg" {
  source = "git::https://github.com/terraform-aws-modules/terraform-aws-autoscaling.git?ref=v6.10.0"

  name = "web"
  metadata_options = {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }
}
