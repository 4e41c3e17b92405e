variable "name" {
  description = "The name of the environment; every resource carries it."
  type        = string
  default     = "sluice"
}

variable "region" {
  description = "Where everything lies."
  type        = string
  default     = "eu-central-1"
}

variable "cidr" {
  description = "The network; its first half is cut into a public and a private subnet for each zone."
  type        = string
  default     = "10.10.0.0/16"
}

variable "zones" {
  description = "How many zones everything is spread over."
  type        = number
  default     = 3
  validation {
    condition     = var.zones >= 2 && var.zones <= 4
    error_message = "Without a second zone the loss of one is the loss of all."
  }
}

variable "kubernetes_version" {
  description = "The version of the cluster."
  type        = string
  default     = "1.34"
}

variable "api_networks" {
  description = "From where the cluster's own API is reached."
  type        = list(string)
}

variable "services" {
  description = "The machines of gateway and services: never spot."
  type        = object({ instance_types = list(string), min = number, max = number })
  default     = { instance_types = ["m7i.xlarge"], min = 3, max = 12 }
}

variable "workers" {
  description = "The machines of workers on spot; the more types, the rarer all of them are taken back."
  type        = object({ instance_types = list(string), min = number, max = number })
  default     = { instance_types = ["m7i.xlarge", "m7a.xlarge", "m6i.xlarge", "m6a.xlarge"], min = 0, max = 15 }
}

variable "database" {
  description = "PostgreSQL, with a standby in another zone and replicas to read lists from."
  type        = object({ version = string, instance_class = string, storage_gb = number, storage_max_gb = number, replicas = number })
  default     = { version = "17.5", instance_class = "db.m7g.large", storage_gb = 100, storage_max_gb = 1000, replicas = 2 }
}

variable "redis" {
  description = "The three roles: node type, replicas, and the policy that the role needs."
  type        = map(object({ node_type = string, replicas = number, maxmemory_policy = string }))
  default = {
    broker  = { node_type = "cache.m7g.large", replicas = 1, maxmemory_policy = "noeviction" }
    session = { node_type = "cache.t4g.medium", replicas = 1, maxmemory_policy = "noeviction" }
    cache   = { node_type = "cache.m7g.large", replicas = 1, maxmemory_policy = "allkeys-lru" }
  }
}

variable "chart" {
  description = "The released chart and the digest of its image; null installs none."
  type        = object({ repository = string, version = string, image = string, digest = string, host = string })
  default     = null
}
