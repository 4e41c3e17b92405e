# The operators that the chart's objects are for (External Secrets, KEDA, Argo Rollouts, cert-manager, Prometheus, an ingress)
# are a platform's own, and come before it.
resource "helm_release" "sluice" {
  count            = var.chart == null ? 0 : 1
  name             = "sluice"
  namespace        = "sluice"
  create_namespace = true
  repository       = var.chart.repository
  chart            = "sluice"
  version          = var.chart.version
  atomic           = true
  timeout          = 900

  values = [
    file("${path.module}/../../helm/sluice/values-production.yaml"),
    yamlencode({
      image   = { repository = var.chart.image, digest = var.chart.digest }
      ingress = { host = var.chart.host }
      externalSecrets = {
        remoteKey    = aws_secretsmanager_secret.sluice.name
        otherEntries = { for role in keys(var.redis) : "redis-${role}-password" => aws_secretsmanager_secret.redis.name }
      }
      # Each role has a password of its own, so the one for two of them goes.
      secrets = { common = merge({ SLUICE_REDIS_PASSWORD = null },
      { for role in keys(var.redis) : "SLUICE_REDIS_${upper(role)}_PASSWORD" => "redis-${role}-password" }) }
      settings = merge(
        { for role, redis in aws_elasticache_replication_group.redis :
        "SLUICE_REDIS_${upper(role)}_URL" => "rediss://${redis.primary_endpoint_address}:6379" },
        { SLUICE_STORE_S3_BUCKET = aws_s3_bucket.results.bucket, SLUICE_STORE_S3_REGION = var.region },
      )
      networkPolicies = {
        redis    = [{ cidr = var.cidr, port = 6379 }]
        postgres = [{ cidr = var.cidr, port = 5432 }]
      }
    }),
  ]

  depends_on = [aws_eks_node_group.services, aws_eks_addon.network, aws_eks_pod_identity_association.results]
}
