"""What a network does to a data set, as its metadata and model card tell it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.checkpoints.metadata import Measurement
from deblur_cli.evaluation.candidates import Network
from deblur_cli.evaluation.runner import evaluate
from deblur_cli.evaluation.scores import Failure, Score
from deblur_cli.evaluation.subjects import open_folder

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Deblurrer

_DECIMALS = 6


def measure(folder: Path, deblurrer: Deblurrer) -> Measurement:
    """Score every picture of a folder as `score_folder` does; six decimals.

    Args:
        folder: of pairs or of sharp photos; the last two parts of its path are its name.
        deblurrer: what restores.

    Raises:
        DeblurError: as `score_folder`.
    """
    pictures = {
        score.name: {name: round(value, _DECIMALS) for name, value in score.figures.items()}
        for score in score_folder(folder, deblurrer)
    }
    return Measurement(open_folder(folder).name, deblurrer.summary, pictures)


def score_folder(folder: Path, deblurrer: Deblurrer) -> list[Score]:
    """The figures of every picture of a folder, by the protocol of its kind, without colour fit.

    Raises:
        UsageError: pairs without partner, or no photos.
        ImageReadError, IncomparableError: a file is damaged, or two of a pair differ in size.
    """
    subjects = open_folder(folder)
    scores = []
    for score in evaluate(subjects.pairs, subjects.protocol, Network(deblurrer)):
        if isinstance(score, Failure):
            raise score.error
        scores.append(score)
    return scores
