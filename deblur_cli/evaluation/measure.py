"""What a network does to a data set, as its metadata and model card tell it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.checkpoints.metadata import Measurement
from deblur_cli.evaluation.runner import evaluate

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Deblurrer

_DECIMALS = 6


def measure(folder: Path, deblurrer: Deblurrer) -> Measurement:
    """Score every picture of a folder as `evaluate` does, without colour fit; six decimals.

    Args:
        folder: of pairs or of sharp photos; the last two parts of its path are its name.
        deblurrer: what restores.

    Raises:
        UsageError, ImageReadError: as `evaluate`.
    """
    scores = evaluate(folder, deblurrer, colour_fit=False)
    pictures = {
        score.name: {name: round(value, _DECIMALS) for name, value in score.figures.items()}
        for score in scores
    }
    dataset = Path(*folder.resolve().parts[-2:]).as_posix()
    return Measurement(dataset, deblurrer.summary, pictures)
