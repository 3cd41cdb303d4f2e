"""Texts of statements as samples keep them: without constants and comments."""

from __future__ import annotations

import psycopg
import pytest


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("SELECT a1 FROM t WHERE b = 'it''s' OR c < 1.5", "SELECT a1 FROM t WHERE b = ? OR c < ?"),
        ("""SELECT "Col's" -- geheim\nFROM x""", """SELECT "Col's"   FROM x"""),
        ("ALTER ROLE x PASSWORD 'geheim'", "ALTER ROLE x PASSWORD ?"),
        ("INSERT INTO t VALUES (1, 2, E'b\\'c', $1)", "INSERT INTO t VALUES (?, ..., $1)"),
        ("SELECT a/b, c*d /* it's */ FROM größe", "SELECT a/b, c*d   FROM größe"),
        ("SELECT a ->> 'key', U&'x', B'01', .5, 1e-7", "SELECT a ->> ?, ..."),
        # cut where a constant might begin
        ("SELECT 'C:\\', 'geheim'", "SELECT "),
        ("SELECT /* /* it's */ */ 'geheim'", "SELECT "),
        ("DO $x$ geheim $x$", "DO "),
        ("SELECT 'the text was cut, geheim", "SELECT "),
        ('SELECT "the text was cut, geheim', "SELECT "),
        ("", ""),
    ],
)  # fmt: skip
def test_kept_text_has_no_constant(catalog: psycopg.Connection, given: str, kept: str) -> None:
    assert catalog.execute("SELECT monitoring.plain_statement(%s)", [given]).fetchone() == (kept,)
