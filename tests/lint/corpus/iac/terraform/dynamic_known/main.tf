locals {
  metadata_options = [{
    tokens = "optional"
    hops   = 1
  }]
}

resource "aws_launch_template" "batch" {
  image_id = var.ami

  dynamic "metadata_options" {
    for_each = local.metadata_options
    content {
      http_tokens                 = metadata_options.value.tokens
      http_put_response_hop_limit = metadata_options.value["hops"]
    }
  }
}
