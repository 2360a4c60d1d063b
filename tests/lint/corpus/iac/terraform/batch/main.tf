resource "aws_batch_compute_environment" "ec2" {
  compute_environment_name = "ec2"
  type                     = "MANAGED"
  compute_resources {
    type          = "SPOT"
    max_vcpus     = 16
    instance_type = ["optimal"]
    subnets       = var.subnets
  }
}

resource "aws_batch_compute_environment" "fargate" {
  compute_environment_name = "fargate"
  type                     = "MANAGED"
  compute_resources {
    type      = "FARGATE"
    max_vcpus = 16
    subnets   = var.subnets
  }
}
