variable "imds_tokens" {
  type = string
}

resource "aws_instance" "app" {
  ami = var.ami

  metadata_options {
    http_tokens = var.imds_tokens
  }
}
