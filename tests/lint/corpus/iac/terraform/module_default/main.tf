variable "http_tokens" {
  type        = string
  description = "Whether or not the metadata service requires session tokens."
  default     = "optional"
}

resource "aws_instance" "this" {
  ami           = var.ami
  instance_type = var.instance_type

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = var.http_tokens
  }
}
