variable "endpoint" {
  default = "http://169.254.169.254"
}

variable "session" {}

data "http" "region" {
  url = "${var.endpoint}/latest/meta-data/placement/region"
}

data "http" "zone" {
  url = "http://169.254.169.254/latest/meta-data/${var.session}"
  request_headers = {
    Accept = "text/plain"
  }
}

data "http" "mac" {
  url = "http://169.254.169.254/latest/meta-data/mac"
  request_headers = {
    X-aws-ec2-metadata-token = var.session
  }
}

data "http" "unknown_headers" {
  url             = "http://169.254.169.254/latest/meta-data/mac"
  request_headers = var.session
}

data "http" "of_another_cloud" {
  url             = "http://169.254.169.254/metadata/instance?api-version=2021-02-01"
  request_headers = { Metadata = "true" }
}

data "http" "own_address" {
  url = "https://checkip.amazonaws.com"
}
