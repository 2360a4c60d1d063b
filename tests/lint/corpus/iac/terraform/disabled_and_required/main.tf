resource "aws_instance" "sealed" {
  ami = "ami-0abc1234def567890"

  metadata_options {
    http_endpoint = "disabled"
    http_tokens   = "required"
  }
}
