module "eks" {
  source  = "terraform-aws-modules/eks/aws"
  version = "~> 19.0"

  cluster_name = "main"

  eks_managed_node_groups = {
    default = {
      min_size = 1
    }
    legacy = {
      min_size = 1
      metadata_options = {
        http_endpoint               = "enabled"
        http_tokens                 = "optional"
        http_put_response_hop_limit = 2
      }
    }
  }
}
