resource "kubectl_manifest" "nodes" {
  yaml_body = <<-YAML
    apiVersion: karpenter.k8s.aws/v1
    kind: EC2NodeClass
    metadata:
      name: batch
    spec:
      role: ${module.nodes.role}
      metadataOptions:
        httpTokens: optional
        httpPutResponseHopLimit: 2
  YAML
}
