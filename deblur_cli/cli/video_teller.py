"""Tells people (stderr) and programs (stdout) how one video goes.

With --json every line is an object with `schema` and `event`:

    start         version, model, warnings
    video         source, target, width, height, frames, done, encoding, work, resumable,
                  warnings
    progress      done, saved, left_sharp, frames, seconds, shares         (once a second at most)
    warning       seconds, warning                       (of the first frame of which it is true)
    device-lost   device, seconds, problem               (a worker on a cluster)
    restored      source, target, frames, left_sharp, bytes, seconds, shares, warnings,
                  problems
    already-done  source, target, problems
    compared      target, frames, bytes
    summary       exit_code

`shares` are the seconds that `decode`, `network` and `encode` have worked, side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import deblur_cli
from deblur_cli.cli import report
from deblur_cli.cli.console import PlainConsole, QuietConsole, RichConsole, error_console
from deblur_cli.errors import DeblurError
from deblur_cli.pipeline.clips.events import (
    ClipAlreadyDone,
    ClipCompared,
    ClipDeviceLost,
    ClipEvent,
    ClipProgress,
    ClipRestored,
    ClipStarted,
    ClipWarned,
    Shares,
)

if TYPE_CHECKING:
    from deblur_cli.pipeline.loaded import Described

_NAMES = {
    ClipStarted: "video",
    ClipProgress: "progress",
    ClipRestored: "restored",
    ClipWarned: "warning",
    ClipDeviceLost: "device-lost",
    ClipAlreadyDone: "already-done",
    ClipCompared: "compared",
}
_SECONDS_BETWEEN_LINES = 30.0
_SECONDS_BETWEEN_EVENTS = 1.0


class VideoTeller:
    """What is said of one video.

    Args:
        console: for people.
        json: whether there are lines for programs.
    """

    def __init__(self, console: QuietConsole, json: bool) -> None:
        self._console = console
        self._json = json
        self._told = 0.0
        self._lined = 0.0
        self._resumed = 0
        self.complete = False
        """Whether the result is there."""
        self._comparing = False
        self._goes_on = "; the same command resumes"
        self._damaged = False
        self._show: Callable[[ClipProgress], None] = self._line

    def start(self, network: Described) -> None:
        """Which network restores it."""
        self._console.note(network.summary)
        for line in network.warnings:
            self._console.warning(line)
        if self._json:
            fields = {
                "version": deblur_cli.__version__,
                "model": network.summary,
                "warnings": network.warnings,
            }
            report.write_line("start", fields)

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Within the block a terminal shows a bar."""
        if not isinstance(self._console, RichConsole):
            yield
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (
            TextColumn("restoring"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=error_console()) as bar:
            task = bar.add_task("", total=None)
            self._show = lambda progress: bar.update(
                task,
                completed=progress.done,
                total=max(progress.frames, progress.done) or None,
                description=self._pace(progress),
            )
            yield

    def tell(self, event: ClipEvent) -> None:
        """What happened."""
        if self._json and self._is_due(event):
            report.write_line(_NAMES[type(event)], asdict(event))
        match event:
            case ClipStarted():
                self._begin(event)
            case ClipProgress():
                self._show(event)
            case ClipRestored():
                self._end(event)
            case ClipWarned():
                self._console.warning(f"from {event.seconds:.2f} s: {event.warning}")
            case ClipDeviceLost():
                self._console.warning(
                    f"{event.device} is lost with the part from {event.seconds:.2f} s: "
                    f"{event.problem}"
                )
            case ClipAlreadyDone():
                self.complete, self._comparing = True, False
                self._console.note(f"{event.target}: already done")
                self._blame(event.source, event.problems)
            case ClipCompared():
                self._comparing = False
                self._console.note(f"{event.target}: {event.frames} frames, before and after")

    def comparing(self, path: Path) -> None:
        """A clip that shows both is about to be made."""
        self._comparing = True
        self._console.note(f"{path}: before and after, side by side")

    def finish(self, ended_early: int | None) -> int:
        """The last line; returns the exit code, which is that of an early end if there was one."""
        exit_code = DeblurError.exit_code if self._damaged else 0
        if ended_early is not None and (self._comparing or not self.complete):
            exit_code = ended_early
            what = "clip of both" if self._comparing else "video"
            self._console.note(f"the {what} is not complete{self._goes_on}")
        if self._json:
            report.write_line("summary", {"exit_code": exit_code})
        return exit_code

    def _begin(self, event: ClipStarted) -> None:
        self._resumed = event.done
        if not event.resumable:
            self._goes_on = "; frames from stdin or to stdout begin anew"
        frames = f"{event.frames} frames" if event.frames else "frames"
        resumed = f", {event.done} of them done already" if event.done else ""
        self._console.note(
            f"{event.source}: {frames} of {event.width}x{event.height}{resumed}; {event.encoding}"
        )
        for warning in event.warnings:
            self._console.warning(f"{event.source}: {warning}")

    def _end(self, event: ClipRestored) -> None:
        self.complete = True
        for warning in event.warnings:
            self._console.warning(f"{event.target}: {warning}")
        self._blame(event.source, event.problems)
        restored = event.frames - self._resumed
        left = f" ({event.left_sharp} sharp ones left as they are)" if event.left_sharp else ""
        self._console.note(
            f"{event.target}: {event.frames} frames{left}, {event.bytes / 1e6:.1f} MB, restored "
            f"{restored} in {event.seconds:.1f} s ({restored / event.seconds:.2f} frames/s; "
            f"{_told(event.shares)})"
        )

    def _blame(self, source: Path, problems: tuple[str, ...]) -> None:
        self._damaged |= bool(problems)
        for problem in problems:
            self._console.error(DeblurError(problem, path=source))

    def _line(self, progress: ClipProgress) -> None:
        """For logs: a line now and then."""
        if not isinstance(self._console, PlainConsole):
            return
        now = time.monotonic()
        if not self._lined:
            self._lined = now
        if now - self._lined >= _SECONDS_BETWEEN_LINES:
            self._lined = now
            self._console.note(f"{progress.done}/{progress.frames}: {self._pace(progress)}")

    def _pace(self, progress: ClipProgress) -> str:
        restored = progress.done - self._resumed
        if not restored:
            return "no frame is restored yet"
        rate = restored / max(progress.seconds, 1e-9)
        left = max(0, progress.frames - progress.done) / rate
        hours, seconds = divmod(round(left), 3600)
        clock = f"{hours}:{seconds // 60:02}:{seconds % 60:02}"
        return f"{rate:.2f} frames/s, {clock} left, {_told(progress.shares)}"

    def _is_due(self, event: ClipEvent) -> bool:
        if not isinstance(event, ClipProgress):
            return True
        if time.monotonic() - self._told < _SECONDS_BETWEEN_EVENTS:
            return False
        self._told = time.monotonic()
        return True


def _told(shares: Shares) -> str:
    parts = asdict(shares)
    total = sum(parts.values()) or 1.0
    return ", ".join(f"{stage} {100 * seconds / total:.0f} %" for stage, seconds in parts.items())
