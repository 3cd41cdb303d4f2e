"""The lake: archived bars, asked by DuckDB and Spark without the database's rows."""
