"""The terminals of a campaign, as the gateway's command finds them: package.module:NAME."""

from __future__ import annotations

import os

from remote_terminal import Package

hedging = Package(os.environ["RUBI_TERMINAL_HEDGING"], timeout=1)
netting = Package(os.environ["RUBI_TERMINAL_NETTING"], timeout=1)
