resource "aws_sagemaker_notebook_instance" "old" {
  name          = "old"
  role_arn      = aws_iam_role.notebook.arn
  instance_type = "ml.t3.medium"

  instance_metadata_service_configuration {
    minimum_instance_metadata_service_version = "1"
  }
}

resource "aws_sagemaker_notebook_instance" "new" {
  name          = "new"
  role_arn      = aws_iam_role.notebook.arn
  instance_type = "ml.t3.medium"

  instance_metadata_service_configuration {
    minimum_instance_metadata_service_version = "2"
  }
}
