"""`deblur train`: make weights by a recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deblur_cli.cli import options
from deblur_cli.cli.signals import INTERRUPTED, stop_on_signals

if TYPE_CHECKING:
    from deblur_cli.training.report import Report, Start

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_BYTES = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


def _quantity(text: str, units: Mapping[str, int], example: str) -> float:
    match = re.fullmatch(rf"(\d+(?:\.\d+)?) ?({'|'.join(units)})", text.strip())
    quantity = float(match[1]) * units[match[2]] if match else 0.0
    if quantity == 0:
        raise typer.BadParameter(f"{text!r} is not of the form {example}")
    return quantity


def parse_duration(text: str) -> float:
    """Seconds in `90s`, `25m` or `2h`."""
    return _quantity(text, _SECONDS, "90s, 25m or 2h")


def parse_size(text: str) -> int:
    """Bytes in `15MB` or `500KB`, powers of 1000; at least 1 KB."""
    return max(1000, int(_quantity(text, _BYTES, "15MB")))


_Budget = Annotated[
    Any,
    typer.Option(
        parser=parse_duration,
        metavar="TIME",
        help="Wall-clock time of the run, such as 90s, 25m or 2h, loading included; "
        "it ends annealed.",
    ),
]
_Workers = Annotated[
    int | None,
    typer.Option(
        help="Processes that make patches; 0: the training itself. "
        "[default: 0 on a CPU, one per core but one with a GPU]",
        min=0,
    ),
]
_PieceSize = Annotated[
    Any,
    typer.Option(
        parser=parse_size,
        metavar="SIZE",
        help="Leave state and weights in pieces of at most this size, such as 15MB.",
    ),
]


class _Lines:
    """The log of a run: plain lines on stderr."""

    def __init__(self) -> None:
        from deblur_cli.cli.console import error_console

        self.console = error_console()

    def print(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def started(self, start: Start) -> None:
        self.print(
            f"{start.device} in {start.dtype}, {start.parameters / 1e6:.1f} M parameters, "
            f"data workers: {start.workers}"
        )
        begun = f"goes on after step {start.step}" if start.step else "begins"
        self.print(
            f"loaded in {start.loading_seconds:.0f} s; "
            f"{begun}, {start.seconds_left:.0f} s of the budget are left"
        )

    def report(self, report: Report) -> None:
        skipped = f"  {report.skipped} skipped" if report.skipped else ""
        self.print(
            f"step {report.step}  {report.progress:6.1%}  lr {report.learning_rate:.2e}"
            f"  loss {report.loss:.4f}  gain {report.gain:+.3f} dB"
            f"  {report.patches_per_second:.1f} patches/s{skipped}"
        )


def train(
    recipe: Annotated[str, typer.Argument(help="Bundled recipe or path of a .toml file.")],
    data: Annotated[Path, typer.Option(help="Folder that the recipe's paths are relative to.")],
    budget: _Budget,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder [runs/RECIPE].")
    ] = None,
    init: Annotated[
        Path | None, typer.Option(help="Weights to start from instead of random ones.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate instead of the recipe's.", min=0.0)
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Patches in a step instead of the recipe's.", min=1)
    ] = None,
    patch: Annotated[
        int | None, typer.Option(help="Side of the patches instead of the recipe's.", min=1)
    ] = None,
    device: options.Device = "auto",
    dtype: options.Precision = options.Dtype.auto,
    workers: _Workers = None,
    threads: Annotated[int, typer.Option(help="CPU threads of the training.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Seed of weights, blur and crops.", min=0)] = 0,
    split_checkpoint: _PieceSize = None,
) -> None:
    """Train weights; the same command goes on where an interrupted run stood."""
    from deblur_cli.training.schedule import Budget

    clock = Budget(budget)  # before torch is imported: loading counts
    from deblur_cli.training.session import TrainingOptions, run_training

    asked = TrainingOptions(
        recipe=recipe,
        data=data,
        folder=output or Path("runs") / Path(recipe).stem,
        init=init,
        learning_rate=learning_rate,
        batch=batch,
        patch=patch,
        device=device,
        dtype=dtype.value,
        workers=workers,
        threads=threads,
        seed=seed,
        split=split_checkpoint,
    )
    lines = _Lines()
    with stop_on_signals() as stop:
        weights = run_training(asked, clock, lines, stop.asked)
    if weights is None:
        lines.print("interrupted; the same command goes on from here")
        raise typer.Exit(stop.exit_code or INTERRUPTED)
    typer.echo(weights)
