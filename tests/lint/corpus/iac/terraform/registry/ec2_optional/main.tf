module "web" {
  source  = "terraform-aws-modules/ec2-instance/aws"
  version = "~> 5.6"

  name = "web"

  metadata_options = {
    http_endpoint = "enabled"
    http_tokens   = "optional"
  }
}
