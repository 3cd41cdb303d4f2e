"""Backups: their contents, their places and their proofs."""
