"""Tells people (stderr) and programs (stdout) how one batch goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import typer

import deblur_cli
from deblur_cli.cli import report
from deblur_cli.cli.console import QuietConsole, one_line
from deblur_cli.errors import ImageWriteError
from deblur_cli.pipeline.events import DeviceLost, Planned, Tally, Told, Waiting

if TYPE_CHECKING:
    from deblur_cli.pipeline.loaded import LoadedNetwork
    from deblur_cli.reporting.report import Report


@dataclass
class Teller:
    """What is said of one batch.

    Args:
        console: for people.
        json: whether there are lines for programs.
        total: pictures, missing inputs included.
        skipped: other files that were passed over.
        left_out: pictures that the options leave to other runs.
        page: for a browser.
        renamed: an event as it shall be told.
    """

    console: QuietConsole
    json: bool
    total: int = 1
    skipped: int = 0
    left_out: int = 0
    page: Report | None = None
    renamed: Callable[[Told], Told] = lambda event: event
    tally: Tally = field(default_factory=Tally)
    _started: float = field(default_factory=time.perf_counter)

    @property
    def remaining(self) -> int:
        """Pictures that have not ended yet."""
        return self.total - self.tally.ended

    def start(self, fleet: Mapping[str, LoadedNetwork]) -> None:
        """What will be done, with which network and on which devices."""
        summary = "; ".join(dict.fromkeys(each.summary for each in fleet.values()))
        warnings = tuple(dict.fromkeys(chain(*(each.warnings for each in fleet.values()))))
        self.console.note(summary)
        for line in warnings:
            self.console.warning(line)
        if self.json:
            fields = {
                "version": deblur_cli.__version__,
                "model": summary,
                "weights": _weights_of(next(iter(fleet.values()))),
                "devices": list(fleet),
                "total": self.total,
                "skipped": self.skipped,
                "left_out": self.left_out,
                "warnings": warnings,
            }
            report.write_line("start", fields)
        if self.page is not None:
            self.page.write()

    def tell(self, event: Told) -> None:
        """How one picture ended, what is planned for it, or what became of a device."""
        event = self.renamed(event)
        if self.json:
            report.write_event(event)
        if self.page is not None:
            self.page.tell(event)
        if isinstance(event, DeviceLost):
            self.console.warning(
                f"{event.source}: {event.device} stopped working and is no longer used: "
                f"{event.problem}"
            )
            return
        if isinstance(event, Waiting):
            self.console.note(
                f"{event.pictures} pictures are in the hands of other processes; waiting for them"
            )
            return
        self.tally.count(event)
        if not isinstance(event, Planned):
            self.console.event(event)
        elif not self.json:
            typer.echo(one_line(f"{event.action}: {event.source} -> {event.target}"))

    def finish(self, ended_early: int | None) -> int:
        """The last line; returns the exit code, which is that of an early end if there was one."""
        seconds = time.perf_counter() - self._started
        tally = self.tally
        exit_code = tally.exit_code if ended_early is None else ended_early
        self.console.note(
            f"restored {tally.restored}, {self._apart()}already done {tally.already_done}, "
            f"skipped {self.skipped} other files, failed {tally.failed} in {seconds:.1f} s "
            f"({tally.restored / seconds:.2f} images/s)"
        )
        if self.remaining:
            self.console.note(f"{self.remaining} pictures remain; the same command resumes")
        fields = asdict(tally) | {
            "skipped": self.skipped,
            "left_out": self.left_out,
            "remaining": self.remaining,
            "seconds": seconds,
            "exit_code": exit_code,
        }
        if self.page is not None:
            try:
                self.page.write(fields)
            except ImageWriteError as error:
                self.console.error(error)
                exit_code = fields["exit_code"] = exit_code or error.exit_code
        if self.json:
            report.write_line("summary", fields)
        return exit_code

    def _apart(self) -> str:
        """What only some runs have."""
        sharp, left_out = self.tally.left_sharp, self.left_out
        said = f"left {sharp} sharp ones as they are, " if sharp else ""
        return said + (f"left out {left_out}, " if left_out else "")


def _weights_of(deblurrer: LoadedNetwork) -> dict[str, object]:
    settings = deblurrer.settings
    return {"id": settings["model"], "sha256": settings["weights"], "source": deblurrer.source}
