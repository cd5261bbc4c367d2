"""A polite end: Ctrl-C and SIGTERM ask the work to stop after what is in hand."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
TERMINATED = 143


class Stop:
    """Whether the work was asked to stop, and the exit code that says by which signal."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.exit_code: int | None = None


@contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """Within the block SIGTERM ends it as tidily as Ctrl-C does, by `SystemExit`."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Within the block the first SIGINT or SIGTERM asks to stop.

    The next SIGINT raises KeyboardInterrupt, the next SIGTERM kills. Both are safe for results,
    which appear under their names only when complete.
    """
    stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    after = before | {signal.SIGTERM: signal.SIG_DFL}

    def ask(number: int, frame: FrameType | None) -> None:
        stop.exit_code = INTERRUPTED if number == signal.SIGINT else TERMINATED
        stop.asked.set()
        signal.signal(number, after[signal.Signals(number)])
        if number == signal.SIGINT and sys.stderr.isatty():
            os.write(2, b"\nfinishing what is in hand; Ctrl-C again stops at once\n")

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
