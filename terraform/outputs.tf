output "endpoint" {
  description = "Address of the instance in the private network, or of its public endpoint."
  value = (
    var.public_access
    ? scaleway_rdb_instance.trading.load_balancer[0].ip
    : scaleway_rdb_instance.trading.private_network[0].ip
  )
}

output "port" {
  description = "Its port."
  value = (
    var.public_access
    ? scaleway_rdb_instance.trading.load_balancer[0].port
    : scaleway_rdb_instance.trading.private_network[0].port
  )
}

output "url" {
  description = "URL of the API's role without its password, which is in Secret Manager."
  value = format(
    "postgresql://rubi_app@%s:%s/rubi_trading?sslmode=verify-ca",
    (
      var.public_access
      ? scaleway_rdb_instance.trading.load_balancer[0].ip
      : scaleway_rdb_instance.trading.private_network[0].ip
    ),
    (
      var.public_access
      ? scaleway_rdb_instance.trading.load_balancer[0].port
      : scaleway_rdb_instance.trading.private_network[0].port
    ),
  )
}

output "certificate" {
  description = "Certificate to check the server with: save it and name it in PGSSLROOTCERT."
  value       = scaleway_rdb_instance.trading.certificate
}

output "secrets" {
  description = "Secrets that hold the passwords."
  value       = { for role, secret in scaleway_secret.password : role => secret.id }
}

output "backup_bucket" {
  description = "Address for scripts/backup.sh."
  value       = "s3://${scaleway_object_bucket.backups.name}/database/"
}

output "available_alerts" {
  description = "Preconfigured alerts of Cockpit, for alert_ids."
  value       = data.scaleway_cockpit_preconfigured_alert.all.alerts
}
