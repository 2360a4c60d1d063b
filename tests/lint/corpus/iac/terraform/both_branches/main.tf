resource "aws_instance" "blue" {
  ami = var.ami

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = var.containers ? 2 : 1
  }
}
