"""What MT5 exports: history reports and JSON of its Python package."""
