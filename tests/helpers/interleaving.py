"""Walks two sessions' steps in every order in which they can happen."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg

from rubi.waiting import until

Step = Callable[[psycopg.Connection], object]
DEADLINE = 60.0


def orders_of(first: int, second: int) -> Iterator[tuple[int, ...]]:
    """Every merge of so many steps of session 0 and session 1, each as a row of 0 and 1."""
    places = range(first + second)
    for chosen in itertools.combinations(places, first):
        yield tuple(0 if place in chosen else 1 for place in places)


def is_waiting(watcher: psycopg.Connection, pid: int) -> bool:
    """Whether the backend waits for a lock that another session holds."""
    return watcher.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid]).fetchone()[0]


def waits(watcher: psycopg.Connection, connection: psycopg.Connection) -> None:
    """Returns when the session waits for another's lock; Failure after DEADLINE seconds."""
    pid = connection.info.backend_pid
    until("the session waits for a lock", lambda: is_waiting(watcher, pid), DEADLINE, pause=0.001)


def walk(
    watcher: psycopg.Connection,
    connections: Sequence[psycopg.Connection],
    scripts: Sequence[Sequence[Step]],
    turns: Sequence[int],
) -> None:
    """Does the scripts' steps in the order of the turns.

    A step that has to wait for the other session's lock is left waiting; steps of its session queue
    up behind it. Raises what a step raised, and AssertionError after DEADLINE seconds.
    """
    end = time.monotonic() + DEADLINE
    left = [iter(script) for script in scripts]
    running: list[list[Future]] = [[], []]
    with ThreadPoolExecutor(1) as zero, ThreadPoolExecutor(1) as one:
        threads = (zero, one)
        for turn in turns:
            step = next(left[turn])
            running[turn].append(threads[turn].submit(step, connections[turn]))
            while not running[turn][-1].done():
                if is_waiting(watcher, connections[turn].info.backend_pid):
                    break
                assert time.monotonic() < end, f"step {step.__name__} neither ends nor waits"
                time.sleep(0.001)
        for future in itertools.chain.from_iterable(running):
            future.result(timeout=max(end - time.monotonic(), 0.001))
