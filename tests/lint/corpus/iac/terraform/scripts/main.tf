resource "aws_instance" "agent" {
  ami           = "ami-0abc1234def567890"
  instance_type = "t3.micro"
  user_data = templatefile("${path.module}/agent.sh.tftpl", {
    cluster = "ci"
  })

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
}
