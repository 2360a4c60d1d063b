module "good" {
  source = "./app"
  name   = "good"
}

module "old" {
  source      = "./app"
  name        = "old"
  imds_tokens = "optional"
}
