source "amazon-ebs" "al2" {
  ami_name     = "al2"
  imds_support = "v2.0"

  metadata_options {
    http_tokens = "optional"
  }
}
