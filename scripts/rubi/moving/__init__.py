"""A source's rows into our tables, for migrate_sqlite.py, migrate_csv.py and adopt.py.

sources reads rows; numbers_and_times and conversions read values; mapping finds each column's
target; row_batches makes batches and stores them, pipeline table by table; proof compares both
sides; command puts the parts together, and knows a source that came before.
"""
