"""`deblur eval`: measure what a network does to a data set; the table is the result, on stdout."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deblur_cli.cli import options, report
from deblur_cli.cli.console import PlainConsole
from deblur_cli.cli.grouped import grouped

if TYPE_CHECKING:
    from deblur_cli.evaluation.scores import Score

_TASK_WITH_COLOUR_FIT = "defocus"
_COLUMN = len("psnr_to_input") + 2


@grouped
def evaluate(
    *,
    dataset: Annotated[
        str,
        typer.Option(metavar="FOLDER", help="Folder with blur/ and sharp/, or of sharp photos."),
    ],
    network: options.OneDeviceOptions,
    save: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the results there, as PNG.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure PSNR (dB) and SSIM before and after, per picture and on average.

    For defocus also the PSNR after fitting gain and offset of each colour channel (fit), as such
    pairs differ in exposure. For a folder of sharp photos: the PSNR of the result against its
    input, which says how little harm is done.
    """
    from deblur_cli.evaluation.runner import evaluate as scores_of
    from deblur_cli.evaluation.runner import find_dataset
    from deblur_cli.evaluation.scores import mean_score

    folder = find_dataset(dataset)
    deblurrer = network.load()
    for line in (deblurrer.summary, *deblurrer.warnings):
        PlainConsole().note(line)
    colour_fit = network.task == _TASK_WITH_COLOUR_FIT
    chosen = deblurrer.settings["model"]
    scores: list[Score] = []
    for score in scores_of(folder, deblurrer, colour_fit=colour_fit, save=save):
        _show(score, chosen, json, with_header=not scores)
        scores.append(score)
    _show(mean_score(scores), chosen, json)


def _show(score: Score, model: object, json: bool, with_header: bool = False) -> None:
    if json:
        figures = {name: _finite(value) for name, value in score.figures.items()}
        report.write_line("score", {"name": score.name, "model": model, **figures})
        return
    if with_header:
        typer.echo(_row("image", score.figures))
    typer.echo(_row(score.name, [_rounded(*figure) for figure in score.figures.items()]))


def _finite(value: float) -> float | None:
    """JSON has no infinity, which is the PSNR of equal pictures."""
    return value if math.isfinite(value) else None


def _row(name: str, cells: Iterable[str]) -> str:
    return f"{name:<24}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells)


def _rounded(name: str, value: float) -> str:
    if name.endswith("_gain"):
        return f"{value:+.3f}"
    return f"{value:.4f}" if name.startswith("ssim") else f"{value:.3f}"
