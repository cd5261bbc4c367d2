"""A network's output is not trusted: a tile that comes out implausible is redone, then left alone.

Deblurring moves light over at most the width of a blur and hardly leaves [0,1]. So, averaged over
cells of 128 x 128 pixels, a plausible result

* is finite,
* keeps the mean of every channel within 0.25 of its input's (light of a 45 pixel wide blur that
  crosses all four borders of a cell shifts it by at most 0.17),
* leaves [0,1] by no more than 0.1 (ringing at edges is far below; a runaway pattern is not).

Sharpening black text on white moves single pixels by up to 1, and passes.
"""

from __future__ import annotations

import copy
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor

from deblur_cli.models import RestorationModel

CELL = 128
LARGEST_SHIFT = 0.25
LARGEST_EXCESS = 0.1


class Outcome(Enum):
    """What became of a tile."""

    RESTORED = "restored"
    REDONE = "redone in float32"
    KEPT = "left as it was"


def plausible(restored: Tensor, original: Tensor) -> bool:
    """Whether `restored` can be a deblurred `original`, both `(1,3,H,W)` float32 in [0,1]."""
    if not bool(restored.isfinite().all()):
        return False
    shift = _cell_means(restored - original).abs().amax()
    excess = _cell_means((restored - restored.clamp(0, 1)).abs()).amax()
    return bool((shift <= LARGEST_SHIFT) & (excess <= LARGEST_EXCESS))


class GuardedNetwork:
    """A network in working precision, with its float32 original at hand for tiles that go wrong.

    Args:
        model: float32, in evaluation mode; kept unrounded.
        device: where both run; the original moves there when it is first needed.
        dtype: precision of the working copy.
    """

    def __init__(self, model: RestorationModel, device: torch.device, dtype: torch.dtype) -> None:
        self._original = model
        self._device = device
        self._exact = dtype == torch.float32
        self.working = model if self._exact else copy.deepcopy(model)
        if not self._exact:
            self.working.set_precision(dtype)
        _place(self.working, device)

    def __call__(self, x: Tensor) -> tuple[Tensor, Outcome]:
        """Restore one tile `(1,3,H,W)` float32; implausible even in float32, it stays as it is."""
        restored: Tensor = self.working(x)
        if plausible(restored, x):
            return restored, Outcome.RESTORED
        if not self._exact:
            restored = _place(self._original, self._device)(x)
            if plausible(restored, x):
                return restored, Outcome.REDONE
        return x, Outcome.KEPT


def _place(model: RestorationModel, device: torch.device) -> RestorationModel:
    placed: RestorationModel = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def _cell_means(values: Tensor) -> Tensor:
    height, width = values.shape[-2:]
    return F.adaptive_avg_pool2d(values, (-(-height // CELL), -(-width // CELL)))
