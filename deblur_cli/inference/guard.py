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
from functools import lru_cache

import torch
from torch import Tensor

from deblur_cli.inference.graphs import CudaRecorder, GraphedNetwork
from deblur_cli.models import RestorationModel

CELL = 128
LARGEST_SHIFT = 0.25
LARGEST_EXCESS = 0.1


class Outcome(Enum):
    """What became of a tile."""

    RESTORED = "restored"
    REDONE = "redone in float32"
    KEPT = "left as it was"


def plausible(restored: Tensor, original: Tensor) -> Tensor:
    """Which images of `restored` can be deblurred ones of `original`; both `(B,3,H,W)` float32.

    Returns:
        `(B,)` bool, on their device. A mean that is no number, or infinite, compares as false.
    """
    shift = _largest_cell_mean(restored - original)
    excess = _largest_cell_mean((restored - restored.clamp(0, 1)).abs())
    return (shift <= LARGEST_SHIFT) & (excess <= LARGEST_EXCESS)


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
        self.working.place(device)
        self.graphs = (
            GraphedNetwork(self.working, CudaRecorder(device)) if device.type == "cuda" else None
        )

    def attempt(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Restore images `(B,3,H,W)` float32, and say which of them `(B,)` are plausible.

        The host does not wait for the device.
        """
        restored: Tensor = (self.graphs or self.working)(x)
        return restored, plausible(restored, x)

    def take_notes(self) -> list[str]:
        """What the user should know since the last time."""
        if self.graphs is None or not self.graphs.notes:
            return []
        notes, self.graphs.notes = self.graphs.notes, []
        return notes

    def release(self) -> None:
        """Free memory that only makes it faster."""
        if self.graphs is not None:
            self.graphs.give_up()

    def judge(self, x: Tensor, restored: Tensor, passed: bool) -> tuple[Tensor, Outcome]:
        """What to make of one image `(1,3,H,W)` and its restoration.

        Implausible ones are redone in float32; if they still are, they stay as they were.

        Args:
            x: the image.
            restored: what `attempt` made of it.
            passed: whether that is plausible.
        """
        if passed:
            return restored, Outcome.RESTORED
        if not self._exact:
            restored = self._original.place(self._device)(x)
            if bool(plausible(restored, x)):
                return restored, Outcome.REDONE
        return x, Outcome.KEPT


def _largest_cell_mean(values: Tensor) -> Tensor:
    """Largest magnitude per image, `(B,)`.

    Means are taken down the columns first, as a matrix product: no pooling kernel is made for
    few and large cells, and some devices have none for cells of unequal size.
    """
    _, channels, height, width = values.shape
    rows = values.permute(0, 2, 3, 1).flatten(2)
    strips = _averages(height, values.device) @ rows
    cells = _averages(width, values.device) @ strips.reshape(len(rows), -1, width, channels)
    largest: Tensor = cells.abs().flatten(1).amax(1)
    return largest


@lru_cache(maxsize=64)
def _averages(length: int, device: torch.device) -> Tensor:
    """A matrix `(cells, length)` whose rows average over one cell each.

    Cells are as long as one another, but for a pixel, which two neighbours may share.
    """
    count = -(-length // CELL)
    matrix = torch.zeros((count, length))
    for cell in range(count):
        inside = slice(cell * length // count, -(-(cell + 1) * length // count))
        matrix[cell, inside] = 1 / (inside.stop - inside.start)
    return matrix.to(device)
