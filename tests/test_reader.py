"""A stranger finds the answer to each question from README in at most two clicks."""

from __future__ import annotations

import re

import pytest

from conftest import ROOT

# question: links to follow from README, and words of the heading or row that answers
QUESTIONS = {
    "How do I see the database run?": (["docs/start.md"], "## A running database"),
    "How do I try the examples of the pages?": (["docs/start.md"], "docs/sample.sql"),
    "How does an analyst get a password?": (["docs/guides/by-hand.md"], "rubi_readonly"),
    "How do I install without superuser?": (["docs/guides/install.md"], "managed"),
    "How do I install with psql alone?": (["docs/guides/by-hand.md"], "install.sql"),
    "How do I load my MT5 report?": (["docs/guides/my-trades.md"], "## From nothing to the page"),
    "Why do balance and deals differ?": (
        ["docs/guides/my-trades.md"],
        "## When the balance and the deals differ",
    ),
    "How does an API send a signal twice and store one?": (
        ["docs/guides/api.md"],
        "client_request_id",
    ),
    "How does a client hear of new signals?": (
        ["docs/guides/api.md", "notifications.md"],
        "subscribe",
    ),
    "How does a worker carry out a signal once?": (
        ["docs/start.md", "guides/signals.md"],
        "## In doubt",
    ),
    "How do I run the gateway beside a terminal?": (
        ["docs/guides/gateway.md"],
        "scripts/gateway.py",
    ),
    "How do I prove a backup?": (["docs/guides/backups.md"], "restore_drill.sh"),
    "What do I do when the disk is full?": (["docs/guides/runbook.md"], "## Full disk"),
    "How is the Sharpe ratio computed?": (["docs/reference/performance.md"], "Sharpe"),
    "What happened at three in the night?": (
        ["docs/guides/runbook.md", "monitoring.md"],
        "## What happened at three",
    ),
    "When do old ticks and events leave, and where to?": (
        ["docs/guides/lifecycle.md"],
        "## Ticks, events, audit",
    ),
    "How do I forbid trading after a daily loss?": (
        ["docs/start.md", "guides/risk-rules.md"],
        "daily_loss",
    ),
    "How far do I trust a win rate?": (
        ["docs/start.md", "guides/ratios.md"],
        "## What is behind an interval",
    ),
    "How do I note why I made a trade?": (["docs/start.md", "guides/journal.md"], "note"),
    "May the gateway's role read a hash?": (["docs/reference/rights.md"], "rubi_ingest"),
    "What does RB051 mean?": (["docs/reference/errors.md"], "RB051"),
    "What did the account hold last Tuesday?": (
        ["docs/guides/analysts.md"],
        "## What was there at a moment",
    ),
    "How many bars fit my server?": (["docs/measured/capacity.md"], "market_data"),
    "What does the column market_data.real_volume hold?": (
        ["docs/schema/README.md", "market_data.md"],
        "real_volume",
    ),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_answer_is_at_most_two_clicks_from_readme(question: str) -> None:
    links, words = QUESTIONS[question]
    assert len(links) <= 2
    page = ROOT / "README.md"
    for link in links:
        assert re.search(rf"\]\({re.escape(link)}(#[^)]*)?\)", page.read_text()), (page.name, link)
        page = page.parent / link
    assert words in page.read_text()
