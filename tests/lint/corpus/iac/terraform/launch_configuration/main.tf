resource "aws_launch_configuration" "web" {
  name_prefix   = "web-"
  image_id      = "ami-0abc1234def567890"
  instance_type = "t3.small"
  user_data     = <<-EOF
    #!/bin/bash -xe
    INSTANCE_ID=$(curl -s http://169.254.169.254/latest/meta-data/instance-id)
    echo "$${INSTANCE_ID} ${var.environment}" > /etc/motd
  EOF

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_autoscaling_group" "web" {
  launch_configuration = aws_launch_configuration.web.name
  min_size             = 1
  max_size             = 3
}
