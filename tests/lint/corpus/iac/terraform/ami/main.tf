resource "aws_ami" "golden" {
  name                = "golden"
  virtualization_type = "hvm"
  root_device_name    = "/dev/xvda"
}

resource "aws_ami" "new" {
  name         = "new"
  imds_support = "v2.0"
}

resource "aws_ami_copy" "copy" {
  name              = "copy"
  source_ami_id     = "ami-0abc1234def567890"
  source_ami_region = "eu-west-1"
}
