output "cluster" {
  description = "For aws eks update-kubeconfig --name."
  value       = aws_eks_cluster.sluice.name
}

output "database" {
  description = "The writable address of PostgreSQL; its administrator's password is in Secrets Manager."
  value       = { address = aws_db_instance.sluice.address, password_secret = aws_db_instance.sluice.master_user_secret[0].secret_arn }
}

output "database_replicas" {
  value = [for replica in aws_db_instance.replica : replica.address]
}

output "redis" {
  value = { for role, redis in aws_elasticache_replication_group.redis : role => redis.primary_endpoint_address }
}

output "results_bucket" {
  value = aws_s3_bucket.results.bucket
}
