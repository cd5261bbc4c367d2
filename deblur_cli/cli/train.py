"""`deblur train`: make weights by a recipe."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deblur_cli.cli import options
from deblur_cli.cli.signals import INTERRUPTED, stop_on_signals
from deblur_cli.cli.training_console import choose_training_console
from deblur_cli.training.launch import read_launch

if TYPE_CHECKING:
    from deblur_cli.training.schedule import Budget
    from deblur_cli.training.setup import TrainingOptions

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


_Recipe = Annotated[str, typer.Argument(help="Bundled recipe or path of a .toml file.")]
_Data = Annotated[
    Path | None,
    typer.Option(help="Folder that the recipe's paths are relative to.", show_default=False),
]
_Budget = Annotated[
    Any,
    typer.Option(
        parser=parse_duration,
        metavar="TIME",
        help="Wall-clock time of the run, such as 90s, 25m or 2h, loading included; "
        "it ends annealed.",
    ),
]
_Iterations = Annotated[
    int | None,
    typer.Option(help="Steps of the run instead of the recipe's; or give --budget.", min=1),
]
_Output = Annotated[Path | None, typer.Option("--output", "-o", help="Run folder [runs/RECIPE].")]
_Init = Annotated[Path | None, typer.Option(help="Weights to start from instead of random ones.")]
_LearningRate = Annotated[
    float | None, typer.Option(help="Peak learning rate instead of the recipe's.", min=0.0)
]
_Batch = Annotated[
    int | None, typer.Option(help="Patches in a step instead of the recipe's.", min=1)
]
_Patch = Annotated[
    int | None, typer.Option(help="Side of the patches instead of the recipe's.", min=1)
]
_Validation = Annotated[
    Path | None,
    typer.Option(
        metavar="SET|FOLDER", help="Pairs to choose the best weights by, such as dpdd; no test set."
    ),
]
_Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting instead of the recipe's, such as optimiser.accumulation=4; "
        "may be given several times.",
    ),
]
_Show = Annotated[
    bool, typer.Option("--show", help="Print the recipe, with every setting, and end.")
]
_Workers = Annotated[
    int | None,
    typer.Option(
        help="Processes that make patches; 0: the training itself. "
        "[default: 0 on a CPU, one per core but one with a GPU]",
        min=0,
    ),
]
_Threads = Annotated[int, typer.Option(help="CPU threads of the training.", min=1)]
_Seed = Annotated[int, typer.Option(help="Seed of weights, blur and crops.", min=0)]
_PieceSize = Annotated[
    Any,
    typer.Option(
        parser=parse_size,
        metavar="SIZE",
        help="Leave state and weights in pieces of at most this size, such as 15MB.",
    ),
]
_TensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Write curves and pictures for TensorBoard.")
]


def train(
    recipe: _Recipe,
    data: _Data = None,
    budget: _Budget = None,
    iterations: _Iterations = None,
    output: _Output = None,
    init: _Init = None,
    learning_rate: _LearningRate = None,
    batch: _Batch = None,
    patch: _Patch = None,
    validation: _Validation = None,
    settings: _Settings = None,
    show: _Show = False,
    device: options.Device = "auto",
    dtype: options.Precision = options.Dtype.auto,
    workers: _Workers = None,
    threads: _Threads = 1,
    seed: _Seed = 0,
    split_checkpoint: _PieceSize = None,
    tensorboard: _TensorBoard = False,
) -> None:
    """Train weights; the same command goes on where an interrupted run stood.

    On several GPUs: torchrun --nproc-per-node N -m deblur_cli train, and the same options.
    """
    shorthands: dict[str, object] = {
        "optimiser.learning_rate": learning_rate,
        "optimiser.batch": batch,
        "optimiser.patch": patch,
        "iterations": iterations,
    }
    if validation is not None:
        from deblur_cli.training.sources import set_or_folder

        shorthands["data.validation"] = json.dumps(set_or_folder(validation))
    given = [f"{key}={wish}" for key, wish in shorthands.items() if wish is not None]
    overrides = (*(settings or ()), *given)
    if show:
        from deblur_cli.training.recipe import load_recipe, to_toml

        typer.echo(to_toml(load_recipe(recipe, overrides)), nl=False)
        return
    if data is None:
        raise typer.BadParameter("a training needs --data")
    if budget is not None and iterations is not None:
        raise typer.BadParameter("give --budget or --iterations, not both")
    from deblur_cli.training.schedule import Budget

    clock = Budget(budget or math.inf)  # before torch is imported: loading counts
    from deblur_cli.training.setup import TrainingOptions

    asked = TrainingOptions(
        recipe=recipe,
        data=data,
        folder=output or Path("runs") / Path(recipe).stem,
        overrides=overrides,
        init=init,
        device=device,
        dtype=dtype.value,
        workers=workers,
        threads=threads,
        seed=seed,
        split=split_checkpoint,
        tensorboard=tensorboard,
    )
    _run(asked, clock)


def _run(asked: TrainingOptions, clock: Budget) -> None:
    from deblur_cli.training.distributed import EndedElsewhereError
    from deblur_cli.training.session import run_training

    console, leads = choose_training_console(), read_launch().leads
    try:
        with stop_on_signals() as stop, console.shown():
            weights = run_training(asked, clock, console.take, stop.asked)
    except EndedElsewhereError:
        raise typer.Exit(1) from None
    if weights is None:
        if leads:
            console.note("interrupted; the same command goes on from here")
        raise typer.Exit(stop.exit_code or INTERRUPTED)
    if leads:
        typer.echo(weights)
