"""Drives each check of monitoring.health into warning, critical and back by really causing it."""

from __future__ import annotations

import health_data_causes
import health_failure_causes
import health_server_causes
from health_watched import CAUSES, Watched

# each module adds its causes to CAUSES
MODULES = (health_server_causes, health_failure_causes, health_data_causes)
__all__ = ["CAUSES", "MODULES", "Watched"]
