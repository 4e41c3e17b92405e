resource "aws_kms_key" "sluice" {
  description             = "${var.name}: database, Redis, results, secrets"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

# Databases and Redis are reached from the cluster's nodes, and from nowhere else.
resource "aws_security_group" "stores" {
  name   = "${var.name}-stores"
  vpc_id = aws_vpc.sluice.id
}

resource "aws_vpc_security_group_ingress_rule" "stores" {
  for_each                     = { postgres = 5432, redis = 6379 }
  security_group_id            = aws_security_group.stores.id
  referenced_security_group_id = aws_eks_cluster.sluice.vpc_config[0].cluster_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_db_subnet_group" "sluice" {
  name       = var.name
  subnet_ids = [for subnet in aws_subnet.private : subnet.id]
}

resource "aws_db_parameter_group" "sluice" {
  name   = var.name
  family = "postgres${split(".", var.database.version)[0]}"
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }
}

resource "aws_db_instance" "sluice" {
  identifier                      = var.name
  engine                          = "postgres"
  engine_version                  = var.database.version
  instance_class                  = var.database.instance_class
  allocated_storage               = var.database.storage_gb
  max_allocated_storage           = var.database.storage_max_gb
  storage_type                    = "gp3"
  storage_encrypted               = true
  kms_key_id                      = aws_kms_key.sluice.arn
  db_name                         = "sluice"
  username                        = "postgres"
  manage_master_user_password     = true
  multi_az                        = true
  db_subnet_group_name            = aws_db_subnet_group.sluice.name
  parameter_group_name            = aws_db_parameter_group.sluice.name
  vpc_security_group_ids          = [aws_security_group.stores.id]
  backup_retention_period         = 14
  copy_tags_to_snapshot           = true
  deletion_protection             = true
  final_snapshot_identifier       = "${var.name}-final"
  performance_insights_enabled    = true
  enabled_cloudwatch_logs_exports = ["postgresql"]
}

resource "aws_db_instance" "replica" {
  count                  = var.database.replicas
  identifier             = "${var.name}-replica-${count.index + 1}"
  replicate_source_db    = aws_db_instance.sluice.identifier
  instance_class         = var.database.instance_class
  storage_encrypted      = true
  parameter_group_name   = aws_db_parameter_group.sluice.name
  vpc_security_group_ids = [aws_security_group.stores.id]
  skip_final_snapshot    = true
}

resource "aws_elasticache_subnet_group" "sluice" {
  name       = var.name
  subnet_ids = [for subnet in aws_subnet.private : subnet.id]
}

resource "aws_elasticache_parameter_group" "redis" {
  for_each = var.redis
  name     = "${var.name}-${each.key}"
  family   = "valkey8"
  parameter {
    name  = "maxmemory-policy"
    value = each.value.maxmemory_policy
  }
}

resource "random_password" "redis" {
  for_each = var.redis
  length   = 48
  special  = false
}

# One for each role, with a replica in another zone that takes over by itself.
resource "aws_elasticache_replication_group" "redis" {
  for_each                   = var.redis
  replication_group_id       = "${var.name}-${each.key}"
  description                = "${var.name}: the ${each.key} role"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = each.value.node_type
  num_cache_clusters         = each.value.replicas + 1
  automatic_failover_enabled = true
  multi_az_enabled           = true
  parameter_group_name       = aws_elasticache_parameter_group.redis[each.key].name
  subnet_group_name          = aws_elasticache_subnet_group.sluice.name
  security_group_ids         = [aws_security_group.stores.id]
  at_rest_encryption_enabled = true
  kms_key_id                 = aws_kms_key.sluice.arn
  transit_encryption_enabled = true
  auth_token                 = random_password.redis[each.key].result
  # What is in the cache may vanish.
  snapshot_retention_limit = each.key == "cache" ? 0 : 7
}

resource "aws_s3_bucket" "results" {
  bucket_prefix = "${var.name}-results-"
}

resource "aws_s3_bucket_public_access_block" "results" {
  bucket                  = aws_s3_bucket.results.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "results" {
  bucket = aws_s3_bucket.results.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.sluice.arn
    }
  }
}
