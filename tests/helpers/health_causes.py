"""Drives each check of monitoring.health into warning, critical and back by really causing it."""

from __future__ import annotations

import health_data_causes
import health_server_causes
from health_watched import CAUSES, Watched

# both modules add their causes to CAUSES
MODULES = (health_server_causes, health_data_causes)
__all__ = ["CAUSES", "MODULES", "Watched"]
