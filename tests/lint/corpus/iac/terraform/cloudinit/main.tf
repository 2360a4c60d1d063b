data "cloudinit_config" "agent" {
  gzip          = true
  base64_encode = true

  part {
    content_type = "text/cloud-config"
    content      = <<-EOF
      #cloud-config
      packages: [jq]
      runcmd:
        - curl -s http://169.254.169.254/latest/meta-data/hostname
    EOF
  }

  part {
    content_type = "text/x-shellscript"
    content      = <<-EOF
      #!/bin/sh
      wget -qO- http://169.254.169.254/latest/user-data
    EOF
  }
}

resource "aws_instance" "agent" {
  ami       = "ami-0abc1234def567890"
  user_data = data.cloudinit_config.agent.rendered

  metadata_options {
    http_tokens = "required"
  }
}
