"""Figures of one picture and their mean over pictures, as papers report them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Score:
    """Named figures of one picture (or of the mean), in the order of the table."""

    name: str
    figures: Mapping[str, float]


def mean_score(scores: Sequence[Score]) -> Score:
    """The mean over pictures of each figure (not the figure of pooled errors)."""
    names = scores[0].figures
    means = {name: float(np.mean([score.figures[name] for score in scores])) for name in names}
    return Score("mean", means)
