resource "aws_launch_template" "nodes" {
  name_prefix = "nodes-"

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
}

resource "aws_eks_node_group" "nodes" {
  cluster_name  = aws_eks_cluster.this.name
  node_role_arn = aws_iam_role.nodes.arn
  subnet_ids    = var.subnet_ids

  launch_template {
    id      = aws_launch_template.nodes.id
    version = aws_launch_template.nodes.latest_version
  }
}
