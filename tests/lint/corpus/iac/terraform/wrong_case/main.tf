resource "aws_instance" "web" {
  ami = "ami-0abc1234def567890"

  metadata_options {
    http_tokens = "REQUIRED"
  }
}
