"""Imported before all else: Ctrl-C while the other modules load ends without a traceback."""

import os
import signal
import sys


def hook(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """A Ctrl-C that no command line caught: a word, and the shell's exit code for it."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr, flush=True)
        os._exit(130)
    sys.__excepthook__(kind, error, trace)


sys.excepthook = hook
# demo.sh ignores Ctrl-C while the interpreter starts, which would end in a traceback too
signal.signal(signal.SIGINT, signal.default_int_handler)
