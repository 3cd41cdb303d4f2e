"""Rows of any table in Parquet files that were proved equal to them."""
