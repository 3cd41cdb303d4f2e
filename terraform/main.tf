# The managed PostgreSQL of the trading database. See docs/guides/terraform.md.

locals {
  tags = ["rubi-studio", "trading", "production"]

  # The API takes bare numbers in units of its own and replaces the whole set. The shares of memory
  # are those of postgresql.conf (8 GB: cache 6 GB, maintenance 512 MB, sorts 16 MB). shared_buffers,
  # preloading and everything of TimescaleDB are the service's.
  settings = merge(
    {
      max_connections                     = "200"
      work_mem                            = tostring(min(64, var.memory_gb * 2)) # MB
      maintenance_work_mem                = tostring(var.memory_gb * 64)         # MB
      effective_cache_size                = tostring(var.memory_gb * 768)        # MB
      max_wal_size                        = "2048"                               # MB
      random_page_cost                    = "1.1"
      effective_io_concurrency            = "32" # the service's highest
      max_locks_per_transaction           = "256"
      idle_in_transaction_session_timeout = "300000"  # ms
      statement_timeout                   = "3600000" # ms; roles carry shorter ones
      timezone                            = "UTC"
    },
    var.postgresql_major >= 16 ? {
      log_min_duration_statement = "1000" # ms
      log_lock_waits             = "on"
    } : {},
  )
}

resource "scaleway_vpc_private_network" "trading" {
  name   = "rubi-studio-trading"
  region = var.region
  tags   = local.tags
}

resource "random_password" "this" {
  for_each = toset(["rubi_admin", "rubi_app"])

  length           = 32
  min_lower        = 1
  min_upper        = 1
  min_numeric      = 1
  min_special      = 1
  override_special = "-_.+"
  keepers = {
    version = var.password_version
  }
}

resource "scaleway_rdb_instance" "trading" {
  name              = "rubi-studio-trading-db"
  region            = var.region
  node_type         = var.node_type
  engine            = "PostgreSQL-${var.postgresql_major}"
  is_ha_cluster     = var.is_ha_cluster
  volume_type       = var.volume_type
  volume_size_in_gb = var.volume_type == "lssd" ? null : var.volume_size_in_gb

  encryption_at_rest = true
  settings           = local.settings
  tags               = local.tags

  disable_backup            = false
  backup_schedule_frequency = 24 # hours
  backup_schedule_retention = var.backup_retention_days
  backup_same_region        = true

  user_name           = "rubi_admin"
  password_wo         = random_password.this["rubi_admin"].result
  password_wo_version = var.password_version

  private_network {
    pn_id       = scaleway_vpc_private_network.trading.id
    enable_ipam = true
  }

  dynamic "load_balancer" {
    for_each = var.public_access ? [1] : []
    content {}
  }

  logs_policy {
    max_age_retention    = 30         # days
    total_disk_retention = 2147483648 # bytes
  }

  lifecycle {
    prevent_destroy = true
    precondition {
      condition     = !var.public_access || length(var.allowed_ips) > 0
      error_message = "public_access needs allowed_ips: otherwise everybody reaches the endpoint."
    }
  }
}

resource "scaleway_rdb_acl" "trading" {
  count = var.public_access ? 1 : 0

  instance_id = scaleway_rdb_instance.trading.id

  dynamic "acl_rules" {
    for_each = var.allowed_ips
    content {
      ip          = acl_rules.key
      description = acl_rules.value
    }
  }
}

resource "scaleway_rdb_database" "trading" {
  instance_id = scaleway_rdb_instance.trading.id
  name        = "rubi_trading"
}

resource "scaleway_rdb_user" "app" {
  instance_id         = scaleway_rdb_instance.trading.id
  name                = "rubi_app"
  password_wo         = random_password.this["rubi_app"].result
  password_wo_version = var.password_version
  is_admin            = false
}

# The administrator creates the schema. What rubi_app may do, grants/ says table by table.
resource "scaleway_rdb_privilege" "admin" {
  instance_id   = scaleway_rdb_instance.trading.id
  user_name     = "rubi_admin"
  database_name = scaleway_rdb_database.trading.name
  permission    = "all"
}

resource "scaleway_rdb_privilege" "app" {
  instance_id   = scaleway_rdb_instance.trading.id
  user_name     = scaleway_rdb_user.app.name
  database_name = scaleway_rdb_database.trading.name
  permission    = "readwrite"
}

resource "scaleway_rdb_read_replica" "trading" {
  count = var.with_read_replica ? 1 : 0

  instance_id = scaleway_rdb_instance.trading.id
  region      = var.region
  same_zone   = false

  private_network {
    private_network_id = scaleway_vpc_private_network.trading.id
    enable_ipam        = true
  }
}

resource "scaleway_secret" "password" {
  for_each = random_password.this

  name        = "rubi-trading-${replace(each.key, "_", "-")}"
  description = "Password of ${each.key} on rubi-studio-trading-db"
  region      = var.region
  tags        = local.tags
  protected   = true
}

resource "scaleway_secret_version" "password" {
  for_each = random_password.this

  secret_id       = scaleway_secret.password[each.key].id
  region          = var.region
  data_wo         = each.value.result
  data_wo_version = var.password_version
}

resource "scaleway_object_bucket" "backups" {
  name   = var.backup_bucket
  region = var.region
  tags = {
    project = "rubi-studio"
    purpose = "backups"
  }

  versioning {
    enabled = true
  }

  lifecycle_rule {
    id      = "old-dumps-cold"
    enabled = true
    prefix  = "database/"

    transition {
      days          = 30
      storage_class = "GLACIER"
    }
    expiration {
      days = 365
    }
  }

  lifecycle_rule {
    id                                     = "half-uploads"
    enabled                                = true
    abort_incomplete_multipart_upload_days = 2

    noncurrent_version_expiration {
      noncurrent_days = 30
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

data "scaleway_cockpit_preconfigured_alert" "all" {
  region = var.region
}

resource "scaleway_cockpit_alert_manager" "trading" {
  count = length(var.alert_emails) > 0 ? 1 : 0

  region                  = var.region
  preconfigured_alert_ids = var.alert_ids

  dynamic "contact_points" {
    for_each = var.alert_emails
    content {
      email = contact_points.value
    }
  }
}
