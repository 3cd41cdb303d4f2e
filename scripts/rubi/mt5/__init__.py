"""Exports of MT5: history reports and JSON of its Python package."""
