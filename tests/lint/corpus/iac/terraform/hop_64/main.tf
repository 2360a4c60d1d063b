resource "aws_instance" "proxy" {
  ami = "ami-0abc1234def567890"
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 64
  }
}
