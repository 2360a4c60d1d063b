resource "aws_elastic_beanstalk_environment" "php" {
  name                = "php"
  application         = aws_elastic_beanstalk_application.php.name
  solution_stack_name = "64bit Amazon Linux 2 v3.5.1 running PHP 8.1"

  setting {
    namespace = "aws:autoscaling:launchconfiguration"
    name      = "DisableIMDSv1"
    value     = "false"
  }
}

resource "aws_elastic_beanstalk_environment" "python" {
  name                = "python"
  application         = aws_elastic_beanstalk_application.python.name
  solution_stack_name = "64bit Amazon Linux 2023 v4.0.1 running Python 3.11"

  setting {
    namespace = "aws:autoscaling:launchconfiguration"
    name      = "DisableIMDSv1"
    value     = true
  }
}
