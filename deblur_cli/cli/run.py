"""`deblur run`: restore photos, folders of photos, and what patterns match."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import deblur_cli
from deblur_cli.cli import options, report
from deblur_cli.cli.console import QuietConsole, choose_console, one_line
from deblur_cli.cli.signals import INTERRUPTED, stop_on_signals
from deblur_cli.errors import DeviceError
from deblur_cli.pipeline.events import DeviceLost, Event, Planned, Tally

if TYPE_CHECKING:
    from deblur_cli import Deblurrer
    from deblur_cli.pipeline.discover import Discovery
    from deblur_cli.pipeline.images import Batch
    from deblur_cli.pipeline.plan import Job


def run(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Files, folders or quoted patterns."),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Folder for the results, or a file's name for one input. "
            "[default: photos → photos_deblurred, a.jpg → a_deblurred.jpg]",
        ),
    ] = None,
    task: options.Task = "motion",
    model: options.Model = None,
    weights: options.Weights = None,
    device: options.Devices = "auto",
    dtype: options.Precision = options.Dtype.auto,
    tile: options.Tile = "auto",
    overlap: options.Overlap = None,
    max_memory: options.MaxMemory = None,
    strength: Annotated[
        float, typer.Option(help="From 0, the input, to 1, the network's result.")
    ] = 1.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that stand in a result's place.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, on stdout.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
) -> None:
    """Sharpen photos: each folder into a mirrored one, each file beside itself.

    Inputs are never touched. The same command goes on where an earlier run stopped and does nothing
    twice. Exit codes: 0 everything done, 1 some inputs failed, 2 wrong usage, 3 nothing could be
    done, 130 or 143 interrupted.
    """
    from deblur_cli.pipeline.discover import discover
    from deblur_cli.pipeline.images import Batch
    from deblur_cli.pipeline.plan import plan

    options.check_strength(strength)
    discovery = discover(inputs, Path(output) if output is not None else None)
    jobs = plan(discovery.sources, output)
    fleet = options.ModelOptions(
        task, model, weights, device, dtype.value, tile, overlap, max_memory, offline
    ).load_fleet()
    batch = Batch(fleet, strength, overwrite)
    teller = _Teller(choose_console(quiet), json, discovery, len(jobs))
    teller.start(fleet)
    exit_code = _preview(batch, jobs, teller) if dry_run else _restore(batch, jobs, teller)
    raise typer.Exit(exit_code)


def _preview(batch: Batch, jobs: Sequence[Job], teller: _Teller) -> int:
    for event in chain(teller.discovery.missing, batch.preview(jobs)):
        teller.tell(event)
    return teller.tally.exit_code


def _restore(batch: Batch, jobs: Sequence[Job], teller: _Teller) -> int:
    with stop_on_signals() as stop, teller.console.progress(teller.total):
        try:
            for event in chain(teller.discovery.missing, batch.run(jobs, stop.asked)):
                teller.tell(event)
            ended_early = stop.exit_code
        except KeyboardInterrupt:
            ended_early = INTERRUPTED
        except DeviceError as none_left:
            teller.console.error(none_left)
            ended_early = none_left.exit_code
    return teller.finish(ended_early)


@dataclass
class _Teller:
    """Tells people (stderr) and programs (stdout) how one batch goes."""

    console: QuietConsole
    json: bool
    discovery: Discovery
    jobs: int
    tally: Tally = field(default_factory=Tally)
    _started: float = field(default_factory=time.perf_counter)

    @property
    def total(self) -> int:
        """Pictures, missing inputs included."""
        return self.jobs + len(self.discovery.missing)

    def start(self, fleet: Mapping[str, Deblurrer]) -> None:
        """What will be done, with which network and on which devices."""
        summary = "; ".join(each.summary for each in fleet.values())
        warnings = tuple(dict.fromkeys(chain(*(each.warnings for each in fleet.values()))))
        for line in (summary, *warnings):
            self.console.note(line)
        if self.json:
            fields = {
                "version": deblur_cli.__version__,
                "model": summary,
                "devices": list(fleet),
                "total": self.total,
                "skipped": self.discovery.skipped,
                "warnings": warnings,
            }
            report.write_line("start", fields)

    def tell(self, event: Event | DeviceLost | Planned) -> None:
        """How one picture ended, what is planned for it, or what became of a device."""
        if self.json:
            report.write_event(event)
        if isinstance(event, DeviceLost):
            self.console.note(
                f"{event.source}: {event.device} stopped working and is no longer used: "
                f"{event.problem}"
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
        remaining = self.total - tally.ended
        skipped = self.discovery.skipped
        self.console.note(
            f"restored {tally.restored}, already done {tally.already_done}, "
            f"skipped {skipped} other files, failed {tally.failed} in {seconds:.1f} s "
            f"({tally.restored / seconds:.2f} images/s)"
        )
        if remaining:
            self.console.note(f"{remaining} pictures remain; the same command resumes")
        if self.json:
            fields = asdict(tally) | {
                "skipped": skipped,
                "remaining": remaining,
                "seconds": seconds,
                "exit_code": exit_code,
            }
            report.write_line("summary", fields)
        return exit_code
