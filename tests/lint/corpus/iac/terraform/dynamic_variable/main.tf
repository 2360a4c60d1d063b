variable "metadata_options" {
  description = "Customize the metadata options of the instance"
  type        = map(string)
  default     = null
}

resource "aws_instance" "this" {
  ami = var.ami

  dynamic "metadata_options" {
    for_each = var.metadata_options != null ? [var.metadata_options] : []
    content {
      http_endpoint = try(metadata_options.value.http_endpoint, "enabled")
      http_tokens   = try(metadata_options.value.http_tokens, "required")
    }
  }
}
