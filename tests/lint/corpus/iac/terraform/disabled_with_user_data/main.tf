resource "aws_instance" "hardened" {
  ami              = "ami-0abc1234def567890"
  user_data_base64 = base64encode(local.setup)

  metadata_options {
    http_endpoint = "disabled"
  }
}
