resource "aws_instance" "legacy" {
  ami = var.ami

  metadata_options {
    http_tokens = var.legacy ? "optional" : "required"
  }
}
