terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    scaleway = {
      source  = "scaleway/scaleway"
      version = "2.81.0"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }
}

provider "scaleway" {
  region = var.region
  zone   = "${var.region}-1"
}
