resource "aws_instance" "this" {
  ami = "ami-0abc1234def567890"

  dynamic "metadata_options" {
    for_each = []
    content {
      http_tokens = "required"
    }
  }
}
