resource "aws_instance" "build" {
  ami = "ami-0abc1234def567890"

  metadata_options {
    http_tokens = "required"
  }

  provisioner "remote-exec" {
    inline = [
      "sudo apt-get update",
      "curl -s http://169.254.169.254/latest/meta-data/local-ipv4 > /tmp/ip",
    ]
  }
}
