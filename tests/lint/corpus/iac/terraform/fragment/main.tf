module "jump_host" {
  source = "./jump-host"

  extra_bootstrap_script = <<EOF
    yum install -y jq
    ID=$(curl -s http://169.254.169.254/latest/meta-data/instance-id)
    aws ec2 associate-address --instance-id "$ID" --allocation-id eipalloc-1
  EOF

  message = <<EOF
    curl http://169.254.169.254/latest/meta-data/ shows what there is.
  EOF
}
