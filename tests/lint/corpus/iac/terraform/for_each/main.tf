locals {
  nodes = {
    a = "subnet-0a1b2c3d4e5f60718"
    b = "subnet-0a1b2c3d4e5f60719"
  }
}

resource "aws_instance" "node" {
  for_each      = local.nodes
  ami           = "ami-0abc1234def567890"
  instance_type = "t3.micro"
  subnet_id     = each.value

  metadata_options { http_tokens = "required" }
}
