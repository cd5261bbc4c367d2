"""`deblur train`: make weights by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deblur_cli.cli.signals import INTERRUPTED, stop_on_signals

if TYPE_CHECKING:
    from deblur_cli.training.loop import Report


def train(
    recipe: Annotated[str, typer.Argument(help="Bundled recipe or path of a .toml file.")],
    data: Annotated[Path, typer.Option(help="Folder that the recipe's paths are relative to.")],
    minutes: Annotated[float, typer.Option(help="Length of the run; it ends annealed.", min=0.01)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder [runs/RECIPE].")
    ] = None,
    init: Annotated[
        Path | None, typer.Option(help="Weights to start from instead of random ones.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate instead of the recipe's.", min=0.0)
    ] = None,
    threads: Annotated[int, typer.Option(help="CPU threads.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Seed of weights, blur and crops.")] = 0,
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "bfloat16",
) -> None:
    """Train weights; the same command goes on where an interrupted run stood."""
    from deblur_cli.cli.console import error_console
    from deblur_cli.training.session import TrainingOptions, run_training

    console = error_console()

    def show(report: Report) -> None:
        console.print(
            f"step {report.step}  {report.progress:6.1%}  lr {report.learning_rate:.2e}"
            f"  loss {report.loss:.4f}  gain {report.gain:+.3f} dB"
            f"  {report.patches_per_second:.1f} patches/s",
            highlight=False,
        )

    options = TrainingOptions(
        recipe=recipe,
        data=data,
        folder=output or Path("runs") / Path(recipe).stem,
        seconds=60 * minutes,
        init=init,
        learning_rate=learning_rate,
        threads=threads,
        seed=seed,
        dtype=dtype,
    )
    with stop_on_signals() as stop:
        finished = run_training(options, show, stop.asked)
    if not finished:
        console.print("interrupted; the same command goes on from here")
        raise typer.Exit(stop.exit_code or INTERRUPTED)
    typer.echo(options.folder / "weights.safetensors")
