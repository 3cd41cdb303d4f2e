"""Waiting that ends."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

from rubi.cli import Failure

Answer = TypeVar("Answer")


def until(what: str, done: Callable[[], Answer], seconds: float = 30, pause: float = 0.1) -> Answer:
    """Ask done until its answer is true, and return the answer. Raises Failure after seconds."""
    end = monotonic() + seconds
    while not (answer := done()):
        if monotonic() > end:
            raise Failure(f"{what}: not within {seconds:g} s")
        sleep(pause)
    return answer
