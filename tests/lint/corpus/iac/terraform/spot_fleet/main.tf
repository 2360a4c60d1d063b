resource "aws_spot_fleet_request" "crunch" {
  iam_fleet_role  = aws_iam_role.fleet.arn
  target_capacity = 10

  launch_specification {
    instance_type = "c5.xlarge"
    ami           = "ami-0abc1234def567890"
  }
}

resource "aws_spot_instance_request" "one" {
  ami           = "ami-0abc1234def567890"
  instance_type = "c5.xlarge"
}
