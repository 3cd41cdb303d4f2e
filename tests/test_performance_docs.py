"""docs/reference/performance.md: its worked example is what the database answers."""

from __future__ import annotations

import re

import psycopg
from psycopg.rows import dict_row

from rubi import ROOT

PAGE = (ROOT / "docs" / "reference" / "performance.md").read_text()


def test_the_worked_example_is_what_the_database_answers(app: psycopg.Connection) -> None:
    example = PAGE.split("## Worked example")[1]
    (block,) = re.findall(r"```sql\n(.*?)```", example, re.DOTALL)
    write, ask = block.strip().rstrip(";").split(";\n")
    app.execute(write)
    cursor = app.cursor(row_factory=dict_row)
    row = cursor.execute(ask).fetchone()
    table = re.findall(r"^\| (\w+) \| .* \| ([\d.]+) \|$", example, re.MULTILINE)
    assert len(table) == 14
    for name, value in table:
        places = len(value.partition(".")[2])
        assert f"{row[name]:.{places}f}" == value, name


def test_every_reason_code_of_the_sql_is_explained() -> None:
    sql = (ROOT / "functions" / "2475_performance_figures.sql").read_text()
    used = set(re.findall(r"(?:THEN|,) '([a-z]+(?:_[a-z]+)+)'(?: END|\)|, NULL)", sql))
    listed = set(re.findall(r"\b(n\w+|too_few|zero_variance|mixed_currency)\b", " ".join(
        line.split("|")[1] for line in PAGE.splitlines() if re.match(r"\| [a-z_, ]+ \|", line)
    )))  # fmt: skip
    assert used
    assert used <= listed
