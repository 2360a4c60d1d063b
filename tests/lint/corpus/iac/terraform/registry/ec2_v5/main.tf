module "web" {
  source  = "terraform-aws-modules/ec2-instance/aws"
  version = "~> 5.6"

  name          = "web"
  instance_type = "t3.micro"
}
