"""What people see on stderr: a progress bar on a terminal, lines elsewhere, or errors only.

Whatever is told goes into the log as well, if there is one.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deblur_cli.cli.log import log
from deblur_cli.errors import DeblurError
from deblur_cli.pipeline.events import AlreadyDone, Event, Failed, LeftSharp, Restored

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_PLAIN_LINES = 20


def one_line(text: str) -> str:
    """The text with line breaks and other control characters escaped: file names may hold them."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def report_error(error: Exception, message: str) -> None:
    """One line on stderr and in the log; before it the traceback if DEBLUR_DEBUG is set."""
    log.error(one_line(message))
    if os.environ.get("DEBLUR_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error)
    print(f"deblur: {one_line(message)}", file=sys.stderr, flush=True)


def error_console() -> Console:
    """A rich console on stderr; imports rich."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


class QuietConsole:
    """Errors, and nothing else."""

    def note(self, text: str) -> None:
        """Something about the whole batch."""
        log.info(one_line(text))
        self._show(text)

    def warning(self, text: str) -> None:
        """Something about the batch or a picture that is not as one would wish."""
        log.warning(one_line(text))
        self._show(text)

    def error(self, error: DeblurError) -> None:
        """One line that says why a picture failed."""
        report_error(error, str(error))

    @contextmanager
    def progress(self, total: int) -> Iterator[None]:
        """Within the block `total` pictures end, each by an `event`."""
        yield

    def event(self, event: Event) -> None:
        """One picture ended."""
        if isinstance(event, Failed):
            self.error(event.error)
            return
        log.info(one_line(_ending(event)))
        if isinstance(event, Restored | LeftSharp):
            for warning in event.warnings:
                self.warning(f"{event.source}: {warning}")

    def _show(self, text: str) -> None:
        """For people only."""


def _ending(event: Restored | LeftSharp | AlreadyDone) -> str:
    files = f"{event.source} -> {event.target}"
    match event:
        case Restored():
            size = f"{event.width}x{event.height}"
            return f"restored {files} ({size} in {event.seconds:.2f} s on {event.device})"
        case LeftSharp():
            return f"left sharp {files} (score {event.score:.2f})"
        case AlreadyDone():
            return f"already done {files}"


class PlainConsole(QuietConsole):
    """Lines for a log: notes and errors as they come, and some twenty lines of progress."""

    def __init__(self) -> None:
        self._total = 0
        self._ended = 0
        self._started = 0.0

    def _show(self, text: str) -> None:
        print(one_line(text), file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, total: int) -> Iterator[None]:
        """Count and clock start with the block."""
        self._total, self._ended, self._started = total, 0, time.monotonic()
        yield

    def event(self, event: Event) -> None:
        """What is to be said of the picture; within `progress` a line of it every so many."""
        super().event(event)
        if not self._total:
            return
        self._ended += 1
        every = max(1, self._total // _PLAIN_LINES)
        if self._ended % every == 0 or self._ended == self._total:
            seconds = time.monotonic() - self._started
            self._show(f"{self._ended}/{self._total} in {seconds:.0f} s: {event.source}")


class RichConsole(QuietConsole):
    """A progress bar with the time that is left; notes and errors stand above it."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._to_do = 0

    def _show(self, text: str) -> None:
        """Above the bar while there is one, which redirects stderr."""
        print(one_line(text), file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, total: int) -> Iterator[None]:
        """Show the bar within the block."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("restoring"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._to_do = total
        with Progress(*columns, console=error_console()) as bar:
            self._bar = bar
            bar.add_task("restoring", total=total)
            yield
        self._bar = None

    def event(self, event: Event) -> None:
        """Move the bar; what an earlier run did is taken off the total, so the ETA stays true."""
        super().event(event)
        if self._bar is None:
            return
        task = self._bar.task_ids[0]
        if isinstance(event, AlreadyDone):
            self._to_do -= 1
            self._bar.update(task, total=self._to_do)
        else:
            self._bar.advance(task)


def choose_console(quiet: bool) -> QuietConsole:
    """Quiet if asked for, a bar if stderr is a terminal, plain lines otherwise."""
    if quiet:
        return QuietConsole()
    return RichConsole() if sys.stderr.isatty() else PlainConsole()
