locals {
  defaults = {
    http_endpoint = "enabled"
    http_tokens   = "optional"
  }
  imds = merge(local.defaults, { http_put_response_hop_limit = 2 })
}

resource "aws_instance" "web" {
  ami = "ami-0abc1234def567890"

  metadata_options {
    http_endpoint = local.imds.http_endpoint
    http_tokens   = local.imds["http_tokens"]
  }
}
