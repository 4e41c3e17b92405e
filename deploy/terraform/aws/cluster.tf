data "aws_iam_policy_document" "assume" {
  for_each = toset(["eks", "ec2"])
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "cluster" {
  name               = "${var.name}-cluster"
  assume_role_policy = data.aws_iam_policy_document.assume["eks"].json
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
}

resource "aws_iam_role" "node" {
  name               = "${var.name}-node"
  assume_role_policy = data.aws_iam_policy_document.assume["ec2"].json
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each   = toset(["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"])
  role       = aws_iam_role.node.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_eks_cluster" "sluice" {
  name                      = var.name
  version                   = var.kubernetes_version
  role_arn                  = aws_iam_role.cluster.arn
  enabled_cluster_log_types = ["api", "audit", "authenticator"]

  access_config { authentication_mode = "API" }

  vpc_config {
    subnet_ids              = [for subnet in aws_subnet.private : subnet.id]
    endpoint_private_access = true
    public_access_cidrs     = var.api_networks
  }

  encryption_config {
    provider { key_arn = aws_kms_key.sluice.arn }
    resources = ["secrets"]
  }

  depends_on = [aws_iam_role_policy_attachment.cluster]
}

# The network's add-on enforces NetworkPolicies only where it is told to.
resource "aws_eks_addon" "network" {
  cluster_name         = aws_eks_cluster.sluice.name
  addon_name           = "vpc-cni"
  configuration_values = jsonencode({ enableNetworkPolicy = "true" })
}

resource "aws_eks_addon" "others" {
  for_each     = toset(["coredns", "kube-proxy", "eks-pod-identity-agent", "aws-ebs-csi-driver"])
  cluster_name = aws_eks_cluster.sluice.name
  addon_name   = each.key
  depends_on   = [aws_eks_node_group.services]
}

resource "aws_eks_node_group" "services" {
  cluster_name    = aws_eks_cluster.sluice.name
  node_group_name = "services"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = [for subnet in aws_subnet.private : subnet.id]
  instance_types  = var.services.instance_types
  capacity_type   = "ON_DEMAND"

  scaling_config {
    min_size     = var.services.min
    max_size     = var.services.max
    desired_size = var.services.min
  }
  update_config { max_unavailable = 1 }
  # The number is the autoscaler's.
  lifecycle { ignore_changes = [scaling_config[0].desired_size] }
  depends_on = [aws_iam_role_policy_attachment.node]
}

# For workers alone: the label and the taint are those of the chart's `spot`.
resource "aws_eks_node_group" "workers" {
  cluster_name    = aws_eks_cluster.sluice.name
  node_group_name = "workers-spot"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = [for subnet in aws_subnet.private : subnet.id]
  instance_types  = var.workers.instance_types
  capacity_type   = "SPOT"
  labels          = { "node.kubernetes.io/lifecycle" = "spot" }

  taint {
    key    = "node.kubernetes.io/lifecycle"
    value  = "spot"
    effect = "NO_SCHEDULE"
  }
  scaling_config {
    min_size     = var.workers.min
    max_size     = var.workers.max
    desired_size = var.workers.min
  }
  lifecycle { ignore_changes = [scaling_config[0].desired_size] }
  depends_on = [aws_iam_role_policy_attachment.node]
}
