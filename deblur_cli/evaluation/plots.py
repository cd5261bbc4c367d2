"""Plots of an evaluation: figures against cost, pictures one by one, the best and the worst."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from deblur_cli.errors import ImageWriteError, MissingExtraError
from deblur_cli.evaluation.candidates import Candidate
from deblur_cli.evaluation.evaluation import Outcome
from deblur_cli.evaluation.figures import FIGURES
from deblur_cli.evaluation.measures import Shot
from deblur_cli.evaluation.report import Report
from deblur_cli.evaluation.runner import restore_one
from deblur_cli.evaluation.saving import make_folder
from deblur_cli.evaluation.scores import Score
from deblur_cli.evaluation.subjects import Subjects
from deblur_cli.imaging.atomic import atomic_path
from deblur_cli.imaging.photo import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "plots"
_CROP = 256


def require_matplotlib() -> None:
    """Raise `MissingExtraError` if nothing can be drawn."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError("--plots", "eval")


def main_figure(subjects: Subjects, outcomes: Sequence[Outcome]) -> str | None:
    """The protocol's main figure if it was measured, else the first one; None if none was."""
    measured = [name for outcome in outcomes for one in outcome.scores for name in one.figures]
    main = subjects.protocol.main
    return main if main in measured else next(iter(measured), None)


def draw_pictures(outcomes: Sequence[Outcome], main: str, output: Path) -> None:
    """Draw the figure of every picture, of each candidate against that of the first.

    A candidate alone is drawn from its worst to its best. What is infinite is left out.

    Args:
        outcomes: of all candidates.
        main: name of the figure.
        output: folder of the evaluation.

    Raises:
        ImageWriteError, UsageError: the file cannot be written.
    """
    label = FIGURES[main].label
    values = {one.candidate: _finite(one.scores, main) for one in outcomes}
    first, *others = values
    figure = _figure()
    axes = figure.subplots()
    axes.set(xlabel=f"{label}, {first}" if others else "pictures", ylabel=label)
    if not others:
        axes.plot(sorted(values[first].values()), ".", label=first)
    for other in others:
        common = sorted(values[first].keys() & values[other].keys())
        x, y = ([values[name][picture] for picture in common] for name in (first, other))
        axes.plot(x, y, ".", label=other)
        axes.plot(sorted(x), sorted(x), color="grey", linewidth=0.8)
    axes.legend()
    axes.grid(visible=True)
    _write(figure, output / FOLDER / "pictures.png")


def draw_costs(report: Report, counted: Mapping[str, float], main: str, output: Path) -> None:
    """Draw a figure against what the networks cost, as figure 1 of ALGNet's paper.

    Rows whose cost is not known are left out; without any there is no plot.

    Args:
        report: the table.
        counted: multiply-accumulates for 256x256 pixels in 10^9, by the candidates' names.
        main: name of the figure.
        output: folder of the evaluation.

    Raises:
        ImageWriteError, UsageError: the file cannot be written.
    """
    points: dict[bool, list[tuple[float, float, str]]] = {True: [], False: []}
    for row in report.rows:
        cost = counted.get(row.method) if row.measured else row.gmacs
        if cost is not None and not row.part and math.isfinite(row.figures.get(main, math.nan)):
            points[row.measured].append((cost, row.figures[main], row.method))
    if not any(points.values()):
        return
    figure = _figure()
    axes = figure.subplots()
    for measured, marker, label in ((True, "o", "measured here"), (False, "^", "by papers")):
        if points[measured]:
            x, y, _ = zip(*points[measured], strict=True)
            axes.plot(x, y, marker, label=label)
        for cost, value, method in points[measured]:
            axes.annotate(method, (cost, value), xytext=(5, 5), textcoords="offset points")
    axes.set(xlabel="multiply-accumulates for 256x256 pixels (10⁹)", ylabel=FIGURES[main].label)
    axes.margins(0.15)
    axes.legend()
    axes.grid(visible=True)
    _write(figure, output / FOLDER / "cost.png")


def draw_crops(
    subjects: Subjects, candidate: Candidate, outcome: Outcome, main: str, output: Path
) -> None:
    """Draw where a candidate changed most in its best and its worst picture.

    Args:
        subjects: the set.
        candidate: makes both pictures once more.
        outcome: what was measured of it.
        main: name of the figure that ranks them.
        output: folder of the evaluation.

    Raises:
        RestoreError: memory does not suffice for the smallest tile.
        ImageWriteError, UsageError: the file cannot be written.
    """
    values = _finite(outcome.scores, main)
    if not values:
        return
    lower = FIGURES[main].better == "lower"
    ranked = sorted(values, key=lambda name: values[name], reverse=not lower)
    pairs = {pair.name: pair for pair in subjects.pairs}
    figure = _figure(height=7)
    grid = figure.subplots(2, 3, squeeze=False)
    for row, kind, name in zip(grid, ("best", "worst"), (ranked[0], ranked[-1]), strict=True):
        shot = restore_one(pairs[name], subjects.protocol, candidate)
        row[0].set_ylabel(f"{kind}: {name}\n{FIGURES[main].text(values[name])}")
        for axes, (title, crop) in zip(row, _crops(shot).items(), strict=True):
            axes.imshow(crop)
            axes.set(title=title, xticks=[], yticks=[])
    _write(figure, output / FOLDER / f"crops-{candidate.name}.png")


def _crops(shot: Shot) -> Mapping[str, Image]:
    """The square in which restored and blurred picture differ most."""
    height, width = shot.truth.shape[:2]
    side = min(_CROP, height, width)
    change = np.abs(shot.restored.astype(np.float32) - shot.blurred.astype(np.float32)).sum(axis=2)
    sums = cv2.boxFilter(change, -1, (side, side), anchor=(0, 0), normalize=False)
    sums = sums[: height - side + 1, : width - side + 1]
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    window = slice(top, top + side), slice(left, left + side)
    pictures = {"blurred": shot.blurred, "restored": shot.restored, "truth": shot.truth}
    return {title: picture[window] for title, picture in pictures.items()}


def _finite(scores: Sequence[Score], main: str) -> dict[str, float]:
    return {one.name: one.figures[main] for one in scores if math.isfinite(one.figures[main])}


def _figure(height: float = 5.0) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(8, height), layout="constrained")


def _write(figure: Figure, path: Path) -> None:
    make_folder(path.parent)
    try:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=120)
    except OSError as error:
        raise ImageWriteError(
            f"the plot cannot be written: {error.strerror}", path=path, remedy="--output"
        ) from error
