variable "http_tokens" {
  default = "optional"
}

resource "aws_instance" "app" {
  ami = "ami-0abc1234def567890"

  metadata_options {
    http_tokens = var.http_tokens
  }
}
