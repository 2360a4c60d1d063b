resource "aws_instance" "ci" {
  ami           = "ami-0abc1234def567890"
  instance_type = "t3.medium"

  metadata_options {
    http_tokens = null
  }
}
