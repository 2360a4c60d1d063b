packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.2.2"
    }
  }
}

source "amazon-ebs" "ubuntu" {
  ami_name      = "base-{{timestamp}}"
  instance_type = "t3.micro"
  source_ami    = "ami-0abc1234def567890"
  ssh_username  = "ubuntu"
}

build {
  sources = ["source.amazon-ebs.ubuntu"]
  provisioner "shell" {
    inline = [
      "curl -sf http://169.254.169.254/latest/meta-data/ami-id",
    ]
  }
}
