"""Figures of one picture and their mean over pictures, as papers report them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from deblur_cli.errors import DeblurError
from deblur_cli.metrics.distribution import fid, kid


@dataclass(frozen=True)
class Score:
    """Named figures of one picture (or of the mean), in the order of the table."""

    name: str
    figures: Mapping[str, float]
    features: npt.NDArray[np.float32] | None = field(default=None, compare=False)
    """(2, N): of the picture and of its truth, where sets of pictures are compared."""


@dataclass(frozen=True)
class Failure:
    """A picture that could not be measured."""

    name: str
    error: DeblurError


def mean_score(scores: Sequence[Score]) -> Score:
    """The mean over pictures of each figure (not the figure of pooled errors).

    Where there are features, and two pictures or more, also FID and KID, which all pictures have
    together.
    """
    names = scores[0].figures
    means = {name: float(np.mean([score.figures[name] for score in scores])) for name in names}
    return Score("mean", means | _compare_sets(scores))


def _compare_sets(scores: Sequence[Score]) -> dict[str, float]:
    features = [score.features for score in scores if score.features is not None]
    if len(features) < len(scores) or len(features) < 2:
        return {}
    restored, truth = np.stack(features, axis=1).astype(np.float64)
    return {"fid": fid(restored, truth), "kid": kid(restored, truth)}
