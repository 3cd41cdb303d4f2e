"""Headings and labels of the terminal's reports by language, for generated reports.

mt5_languages.json has English, French and Japanese as in real reports. The others are translations
of our own, not the terminal's: a reader that goes by layout must not care. Heads are title, name,
account, company, date, the lists and the results; state and results the labels below the lists.
"""

from __future__ import annotations

import json
from pathlib import Path

COLUMNS = (
    "time", "position", "symbol", "type", "volume", "price", "sl", "tp", "commission", "swap",
    "profit", "open_time", "order", "state", "comment", "deal", "direction", "fee", "balance",
    "cost", "market",
)  # fmt: skip

LANGUAGES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
for words in LANGUAGES.values():
    words["columns"] = dict(zip(COLUMNS, words["columns"], strict=True))
