"""What the commands of scripts/ share, a folder for each topic."""

from pathlib import Path

# the repository
ROOT = Path(__file__).resolve().parents[2]
