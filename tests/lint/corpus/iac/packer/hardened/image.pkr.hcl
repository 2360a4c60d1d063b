variable "imds_support" {
  default = "v2.0"
}

source "amazon-ebs" "al2" {
  ami_name     = "al2"
  imds_support = var.imds_support

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
}
