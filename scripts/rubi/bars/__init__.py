"""Bars and ticks: files in the forms people have, the archive, the lake."""
