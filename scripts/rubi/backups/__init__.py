"""Backups: what they hold, where they lie, how they are proved."""
