"""Modules that the commands of scripts/ share, a folder for each topic."""

from pathlib import Path

# the oldest major of PostgreSQL that is supported
OLDEST = 15
# schemas that our files make or fill, in the order of pages: the API's functions first
SCHEMAS = ("public", "monitoring", "audit", "internal", "deploy", "migration")
# the repository
ROOT = Path(__file__).resolve().parents[2]
