"""What people see of a training on stderr: a live panel on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deblur_cli.cli.console import PlainConsole, error_console
from deblur_cli.training.events import Event, Note, Report, Start, Stepped, Validation
from deblur_cli.training.launch import read_launch

if TYPE_CHECKING:
    from rich.panel import Panel

_REFRESHES_PER_SECOND = 2


class TrainingLog(PlainConsole):
    """Lines: what was chosen, every report, every validation."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The training goes on within the block."""
        yield

    def take(self, event: Event) -> None:
        """Say what happened, if it is worth a line."""
        match event:
            case Start():
                for line in _start_lines(event):
                    self.note(line)
            case Note():
                self.note(event.text)
            case Report():
                skipped = f"  {event.skipped} skipped" if event.skipped else ""
                self.note(
                    f"step {event.step}  {event.progress:6.1%}  lr {event.learning_rate:.2e}"
                    f"  loss {event.loss:.4f}  gain {event.gain:+.3f} dB"
                    f"  {event.patches_per_second:.1f} patches/s{skipped}"
                )
            case Validation():
                best = "  best so far, kept" if event.best else ""
                self.note(
                    f"step {event.step}  validation {event.psnr:.3f} dB"
                    f"  gain {event.gain:+.3f} dB{best}"
                )


class TrainingPanel(TrainingLog):
    """A panel that follows every step; what was chosen and what is odd stands above it."""

    def __init__(self) -> None:
        super().__init__()
        self._from = (time.monotonic(), 0.0)
        """When this sitting began, and how far the run was then."""
        self._step = Stepped(0, 0.0)
        self._report: Report | None = None
        self._validation: Validation | None = None
        self._best: Validation | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the panel within the block."""
        from rich.live import Live

        with Live(
            get_renderable=self.panel,
            console=error_console(),
            refresh_per_second=_REFRESHES_PER_SECOND,
        ):
            yield

    def take(self, event: Event) -> None:
        """Keep what the panel shows."""
        match event:
            case Start():
                self._from = time.monotonic(), event.progress
                self._step = Stepped(event.step, event.progress)
                super().take(event)
            case Note():
                super().take(event)
            case Stepped():
                self._step = event
            case Report():
                self._report = event
            case Validation():
                self._validation = event
                self._best = event if event.best else self._best

    def panel(self) -> Panel:
        """The figures as they are now."""
        from rich.panel import Panel
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        figures = Table.grid(padding=(0, 2))
        for name, value in self._figures().items():
            figures.add_row(name, value)
        rows = Table.grid(expand=True)
        rows.add_row(ProgressBar(total=1.0, completed=self._step.progress))
        rows.add_row(figures)
        return Panel(rows, title="training", width=60)

    def _figures(self) -> dict[str, str]:
        report, validation, best = self._report, self._validation, self._best
        figures = {
            "step": f"{self._step.step}  {self._step.progress:.1%}",
            "left": _clock(self._seconds_left()),
        }
        if report is not None:
            figures |= {
                "loss": f"{report.loss:.4f}",
                "gain": f"{report.gain:+.3f} dB on training patches",
                "learning rate": f"{report.learning_rate:.2e}",
                "speed": f"{report.patches_per_second:.1f} patches/s",
                "skipped": f"{report.skipped} steps",
            }
        if validation is not None:
            gain = f"{validation.gain:+.3f} dB, at step {validation.step}"
            figures["PSNR"] = f"{validation.psnr:.3f} dB, gain {gain}"
        if best is not None:
            figures["best"] = f"{best.psnr:.3f} dB at step {best.step}"
        return figures

    def _seconds_left(self) -> float | None:
        began, progress = self._from
        done = self._step.progress - progress
        if done <= 0:
            return None
        return (time.monotonic() - began) * (1 - self._step.progress) / done


def choose_training_console() -> TrainingLog:
    """A panel if stderr is a terminal, lines otherwise; one process of several has the panel."""
    return TrainingPanel() if sys.stderr.isatty() and read_launch().leads else TrainingLog()


def _start_lines(start: Start) -> Iterator[str]:
    processes = f", {start.processes} processes" if start.processes > 1 else ""
    yield (
        f"{start.device} in {start.dtype}{processes}, {start.parameters / 1e6:.1f} M parameters, "
        f"data workers: {start.workers}"
    )
    begun = f"goes on after step {start.step}" if start.step else "begins"
    if start.iterations is None:
        length = f"{start.seconds_left:.0f} s of the budget are left"
    else:
        length = f"{start.iterations - start.step} steps are left"
    yield f"loaded in {start.loading_seconds:.0f} s; {begun}, {length}"
    if start.validation_pairs:
        yield f"the best weights are chosen by {start.validation_pairs} validation pairs"
    else:
        yield "no validation pairs are named (--validation): only the last weights are kept"


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
