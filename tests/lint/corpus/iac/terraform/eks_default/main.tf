resource "aws_eks_node_group" "default" {
  cluster_name  = aws_eks_cluster.this.name
  node_role_arn = aws_iam_role.nodes.arn
  subnet_ids    = var.subnet_ids
  ami_type      = "AL2_x86_64"
}
