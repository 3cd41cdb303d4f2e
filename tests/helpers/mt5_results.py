"""The results that a terminal prints below a report's lists, by a plain walk along its deals."""

from __future__ import annotations

import math
import statistics
from decimal import Decimal
from typing import Any

from mt5_history import History

ZERO = Decimal(0)


class Walk:
    """The curve of the balance, and each closing deal as a trade."""

    def __init__(self, history: History) -> None:
        self.start = balance = history.opening
        self.curve: list[Decimal] = []
        self.trades: list[tuple[Decimal, bool, float]] = []  # money, short, return
        self.profit = self.loss = ZERO
        for number, deal in enumerate(history.deals):
            moved = deal["profit"] + deal["commission"] + deal["fee"] + deal["swap"]
            before, balance = balance, balance + moved
            if number or deal["type"] in ("buy", "sell"):
                self.curve.append(balance)
            else:
                self.start = balance
            if deal["type"] not in ("buy", "sell"):
                continue
            self.profit += max(moved, ZERO)
            self.loss += min(moved, ZERO)
            if deal["entry"] != "in":
                self.trades.append((moved, deal["type"] == "buy", float(moved / before)))

    def drawdowns(self) -> list[Any]:
        """Absolute; maximal with its percent; relative with its money."""
        high, deepest, steepest = self.start, (ZERO, ZERO), (ZERO, ZERO)
        for point in self.curve:
            high = max(high, point)
            fall = high - point
            deepest = max(deepest, (fall, 100 * fall / high), key=lambda pair: pair[0])
            steepest = max(steepest, (100 * fall / high, fall), key=lambda pair: pair[0])
        return [max(self.start - min([self.start, *self.curve]), ZERO), deepest, steepest]

    def series(self, won: bool) -> list[tuple[int, Decimal]]:
        """Length and money of each run of won, or lost, trades."""
        runs: list[tuple[int, Decimal]] = []
        last = None
        for money, _, _ in self.trades:
            if (money >= 0) == won:
                length, total = runs.pop() if last == won else (0, ZERO)
                runs.append((length + 1, total + money))
            last = money >= 0
        return runs or [(0, ZERO)]


def share(part: int, whole: int) -> Decimal:
    return 100 * Decimal(part) / whole if whole else ZERO


def results(history: History) -> list[list[Any]]:
    """The figures row by row; pairs where two are printed in one cell."""
    walk = Walk(history)
    net, count = walk.profit + walk.loss, len(walk.trades)
    money = [value for value, _, _ in walk.trades]
    won, lost = [v for v in money if v >= 0], [v for v in money if v < 0]
    gains = [gain for _, _, gain in walk.trades]
    spread = statistics.pstdev(gains) if gains else 0
    drawdowns = walk.drawdowns()
    sides = [[v for v, short, _ in walk.trades if short == side] for side in (True, False)]
    runs = [walk.series(True), walk.series(False)]
    return [
        [net, walk.profit, walk.loss],
        [walk.profit / -walk.loss if walk.loss else None, net / count if count else None],
        [net / drawdowns[1][0] if drawdowns[1][0] else None,
         Decimal(statistics.mean(gains) / spread) if spread else None],
        [None],
        drawdowns,
        [Decimal(count), *((len(s), share(sum(v >= 0 for v in s), len(s))) for s in sides)],
        [(len(won), share(len(won), count)), (len(lost), share(len(lost), count))],
        [max(won, default=ZERO), min(lost, default=ZERO)],
        [walk.profit / len(won) if won else ZERO, walk.loss / len(lost) if lost else ZERO],
        [max(part, key=lambda run: (run[0], abs(run[1]))) for part in runs],
        [max(part, key=lambda run: (abs(run[1]), run[0]))[::-1] for part in runs],
        [math.floor(sum(run[0] for run in part) / len(part) + 0.5) for part in runs],
    ]  # fmt: skip
