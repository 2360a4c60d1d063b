variable "name" {
  type = string
}

variable "imds_tokens" {
  type    = string
  default = "required"
}
