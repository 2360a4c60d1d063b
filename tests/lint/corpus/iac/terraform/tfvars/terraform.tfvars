http_tokens   = "required"
instance_type = "t3.micro"
