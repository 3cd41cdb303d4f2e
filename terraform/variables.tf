variable "region" {
  description = "Region of everything here."
  type        = string
  default     = "fr-par"
  validation {
    condition     = contains(["fr-par", "nl-ams", "pl-waw"], var.region)
    error_message = "region is fr-par, nl-ams or pl-waw."
  }
}

variable "node_type" {
  description = "Size of the instance. db-pop2-4c-16g: 4 vCPU and 16 GB with SLA; db-dev-l: 4 vCPU and 8 GB without."
  type        = string
  default     = "db-pop2-4c-16g"
  validation {
    condition     = can(regex("^db-[a-z0-9-]+$", lower(var.node_type)))
    error_message = "node_type begins with db-, such as db-pop2-4c-16g."
  }
}

variable "memory_gb" {
  description = "Memory of node_type in GB; settings are derived from it."
  type        = number
  default     = 16
  validation {
    condition     = var.memory_gb >= 2 && var.memory_gb <= 1024
    error_message = "memory_gb is 2 to 1024."
  }
}

variable "postgresql_major" {
  description = "Major version of PostgreSQL. The extension TimescaleDB comes with it and is never updated: 16 has 2.17, 17 has 2.22."
  type        = number
  default     = 17
  validation {
    condition     = contains([15, 16, 17], var.postgresql_major)
    error_message = "postgresql_major is 15, 16 or 17."
  }
}

variable "is_ha_cluster" {
  description = "A second node that takes over; it can't be read from."
  type        = bool
  default     = true
}

variable "volume_type" {
  description = "sbs_5k or sbs_15k block storage, or lssd local storage."
  type        = string
  default     = "sbs_5k"
  validation {
    condition     = contains(["sbs_5k", "sbs_15k", "lssd"], var.volume_type)
    error_message = "volume_type is sbs_5k, sbs_15k or lssd."
  }
}

variable "volume_size_in_gb" {
  description = "Size of the volume; it can grow and never shrink."
  type        = number
  default     = 100
  validation {
    condition     = var.volume_size_in_gb >= 10 && var.volume_size_in_gb % 5 == 0
    error_message = "volume_size_in_gb is a multiple of 5, at least 10."
  }
}

variable "backup_retention_days" {
  description = "Days that the daily backups are kept."
  type        = number
  default     = 7
  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 365
    error_message = "backup_retention_days is 1 to 365."
  }
}

variable "public_access" {
  description = "Give the instance a public endpoint instead of a private network only."
  type        = bool
  default     = false
}

variable "allowed_ips" {
  description = "Networks that reach the public endpoint, such as 203.0.113.7/32; needed with public_access."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for ip in keys(var.allowed_ips) : can(cidrhost(ip, 0)) && !endswith(ip, "/0")])
    error_message = "allowed_ips are networks in CIDR form and never the whole Internet."
  }
}

variable "with_read_replica" {
  description = "Add an asynchronous replica for analysts."
  type        = bool
  default     = false
}

variable "backup_bucket" {
  description = "Bucket for scripts/backup.sh; names of buckets are unique in the world."
  type        = string
  default     = "rubi-studio-backups"
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.backup_bucket))
    error_message = "backup_bucket has 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "alert_emails" {
  description = "Who is told of Cockpit's alerts; nobody when empty."
  type        = list(string)
  default     = []
}

variable "alert_ids" {
  description = "Preconfigured alerts to switch on, by id: terraform output available_alerts lists them."
  type        = list(string)
  default     = []
}

variable "password_version" {
  description = "Raise it to rotate both passwords."
  type        = number
  default     = 1
  validation {
    condition     = var.password_version >= 1 && floor(var.password_version) == var.password_version
    error_message = "password_version is a whole number from 1 on."
  }
}
