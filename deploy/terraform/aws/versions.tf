terraform {
  required_version = ">= 1.9"
  required_providers {
    aws    = { source = "hashicorp/aws", version = "~> 6.0" }
    helm   = { source = "hashicorp/helm", version = "~> 3.0" }
    random = { source = "hashicorp/random", version = "~> 3.6" }
  }
}

provider "aws" {
  region = var.region
  default_tags { tags = { application = "sluice", environment = var.name } }
}

provider "helm" {
  kubernetes = {
    host                   = aws_eks_cluster.sluice.endpoint
    cluster_ca_certificate = base64decode(aws_eks_cluster.sluice.certificate_authority[0].data)
    exec = {
      api_version = "client.authentication.k8s.io/v1"
      command     = "aws"
      args        = ["eks", "get-token", "--cluster-name", aws_eks_cluster.sluice.name, "--region", var.region]
    }
  }
}
