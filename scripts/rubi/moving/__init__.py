"""A source's rows into our tables, for migrate_sqlite.py, migrate_csv.py and adopt.py.

sources reads rows; numbers_and_times and conversions read values; mapping finds each column's
target; staged_batches makes batches, row_batches and pipeline write them; late_key builds the key
of bars afterwards; checksums and proof compare both sides; same_source knows a source that came
before; command puts the parts together.
"""
