"""What migrate_sqlite.py, migrate_csv.py and adopt.py share: a source's rows into our tables.

sources reads, forms and values say what a value means, tables which column goes where, ready and
fast make batches, batch and copy write them, key builds the key afterwards, sums and proof compare
both sides, again knows a source that came before, run puts it together.
"""
