# Gateway, worker and results reach the result store by their service accounts; no key of S3 exists.
data "aws_iam_policy_document" "pod" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "results" {
  statement {
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${aws_s3_bucket.results.arn}/*"]
  }
  statement {
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.results.arn]
  }
  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.sluice.arn]
  }
}

resource "aws_iam_role" "results" {
  name               = "${var.name}-results"
  assume_role_policy = data.aws_iam_policy_document.pod.json
}

resource "aws_iam_role_policy" "results" {
  role   = aws_iam_role.results.id
  policy = data.aws_iam_policy_document.results.json
}

resource "aws_eks_pod_identity_association" "results" {
  for_each        = toset(["gateway", "worker", "results"])
  cluster_name    = aws_eks_cluster.sluice.name
  namespace       = "sluice"
  service_account = "sluice-${each.key}"
  role_arn        = aws_iam_role.results.arn
}

# What External Secrets reads. Terraform keeps the passwords of Redis here; master, signing and cursor keys and the URLs of the
# databases are put beside them by hand (sluice new-secrets), so that they are in no state file.
resource "aws_secretsmanager_secret" "sluice" {
  name       = "sluice/${var.name}"
  kms_key_id = aws_kms_key.sluice.arn
}

resource "aws_secretsmanager_secret" "redis" {
  name       = "sluice/${var.name}-redis"
  kms_key_id = aws_kms_key.sluice.arn
}

resource "aws_secretsmanager_secret_version" "redis" {
  secret_id     = aws_secretsmanager_secret.redis.id
  secret_string = jsonencode({ for role, password in random_password.redis : "redis-${role}-password" => password.result })
}
