environment   = "stage"
instance_type = "t3.micro"
http_tokens   = "optional"

metadata_options = {
  http_endpoint = "enabled"
  http_tokens   = "optional"
}
