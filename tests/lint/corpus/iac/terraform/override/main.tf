resource "aws_launch_template" "base" {
  image_id = var.ami
  metadata_options {
    http_tokens = "required"
  }
}

resource "aws_instance" "old_agent" {
  instance_type = "t3.micro"

  launch_template {
    id = aws_launch_template.base.id
  }

  metadata_options {
    http_tokens = "optional"
  }
}
