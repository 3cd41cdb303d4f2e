"""Carrying the numbered SQL files to a database."""
