resource "aws_imagebuilder_infrastructure_configuration" "this" {
  name                  = "builder"
  instance_profile_name = aws_iam_instance_profile.builder.name
}

resource "aws_imagebuilder_infrastructure_configuration" "good" {
  name                  = "builder2"
  instance_profile_name = aws_iam_instance_profile.builder.name
  instance_metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
}
