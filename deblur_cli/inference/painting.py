"""One picture on its way: which tiles are still to be restored, and what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from deblur_cli.inference.blend import Band, Canvas
from deblur_cli.inference.guard import Outcome
from deblur_cli.inference.lanes import Arriving, Lane
from deblur_cli.inference.samples import Image, torch_dtype
from deblur_cli.inference.tile_size import Cut
from deblur_cli.inference.tiles import Region, Size, tile_grid

Batch = tuple[Region, ...]
"""Equal tiles of one row that go through the network together, from left to right."""


@dataclass(frozen=True)
class Restoration:
    """A restored picture and how it came about."""

    image: Image
    """Shape and dtype of the input."""
    tile: int
    """Longest side a tile might have, in pixels."""
    tiles: int
    """Tiles that went through the network."""
    redone: int
    """Tiles that came out implausible and were redone in float32."""
    kept: int
    """Tiles that stayed implausible and were left as they were."""
    warnings: tuple[str, ...]
    """What the user should know, one sentence each."""


@dataclass(frozen=True)
class Style:
    """What is done with all pictures alike."""

    overlap: int
    """Pixels that tiles share."""
    multiple: int
    """The network's size multiple."""
    step: int | None
    """Tiles begin at multiples of this, or of the size multiple."""
    match_mean: bool
    """Whether every tile gets its input's mean colour."""


class Painting:
    """A picture and its result so far.

    Args:
        image: `(H,W,3)`, one of the sample dtypes.
        strength: 0 gives the input, 1 the network's result, between them a mixture.
        style: for all pictures.
        lane: brings finished rows to the host.
    """

    def __init__(self, image: Image, strength: float, style: Style, lane: Lane) -> None:
        self.image = image
        self.size = Size(*image.shape[:2])
        self.notes: list[str] = []
        """What happened on the way that the user should know."""
        self.cut = Cut(0, self.size, 1)
        """How it was last cut into tiles."""
        self.batches: Iterator[Batch] = iter(())
        """Tiles that are still to be restored."""
        self.of_one_tile = False
        """Whether the whole picture was last cut into a single tile."""
        self._strength = strength
        self._style = style
        self._lane = lane
        self._canvas = Canvas(self.size.height, style.overlap)
        self._band = Band(self.size.width, style.overlap)
        self._result = np.empty(image.shape, image.dtype)
        self._arriving: tuple[slice, Arriving] | None = None
        self._outcomes: Counter[Outcome] = Counter()

    @property
    def complete(self) -> bool:
        """Whether every row is on its way to the host."""
        return self._canvas.complete

    def plan(self, side: int, at_once: int) -> None:
        """Cut what is not finished into tiles.

        Args:
            side: longest side a tile may have.
            at_once: pixels of a batch; one tile may have more.
        """
        style, finished = self._style, self._canvas.finished
        rest = Size(self.size.height - finished, self.size.width)
        grid = tile_grid(rest, side, style.overlap, style.multiple, style.step)
        together = max(1, min(len(grid.lefts), at_once // grid.tile.pixels))
        self.cut = Cut(side, grid.tile, together)
        self.of_one_tile = finished == 0 and len(grid.tops) == len(grid.lefts) == 1
        self._band = Band(self.size.width, style.overlap)
        self.batches = (
            tuple(replace(tile, top=finished + tile.top) for tile in row[start : start + together])
            for row in grid.rows()
            for start in range(0, len(row), together)
        )

    def add(self, tile: Region, x: Tensor, restored: Tensor, outcome: Outcome) -> None:
        """Paint a tile; tiles come row by row, each from left to right.

        Args:
            tile: where it lies.
            x: the picture there, `(1,3,h,w)` float32.
            restored: what the network made of it.
            outcome: whether that is to be trusted.
        """
        self._outcomes[outcome] += 1
        if self._style.match_mean and outcome is not Outcome.KEPT:
            restored = restored + (_mean_colour(x) - _mean_colour(restored))
        mixed = torch.lerp(x, restored, self._strength)
        self._band.add(tile.left, mixed[0].permute(1, 2, 0))
        if self._band.complete:
            self._finish_band(tile.top)

    def restoration(self) -> Restoration:
        """The result of a complete painting, once it is on the host."""
        self._arrive()
        doubtful = (
            f"the output of {self._outcomes[outcome]} of {self._outcomes.total()} tiles was "
            f"implausible; {outcome.value}"
            for outcome in (Outcome.REDONE, Outcome.KEPT)
            if self._outcomes[outcome]
        )
        return Restoration(
            image=self._result,
            tile=self.cut.side,
            tiles=self._outcomes.total(),
            redone=self._outcomes[Outcome.REDONE],
            kept=self._outcomes[Outcome.KEPT],
            warnings=(*self.notes, *doubtful),
        )

    def _finish_band(self, top: int) -> None:
        start = self._canvas.finished
        rows = self._canvas.add(top, self._band.pixels)
        self._band = Band(self.size.width, self._style.overlap)
        self._arrive()
        place = slice(start, self._canvas.finished)
        samples = self._lane.fetch_samples(rows, torch_dtype(self._result.dtype))
        self._arriving = place, samples

    def _arrive(self) -> None:
        if self._arriving is not None:
            place, samples = self._arriving
            self._result[place] = samples.wait()
            self._arriving = None


def _mean_colour(x: Tensor) -> Tensor:
    return x.mean(dim=(-2, -1), keepdim=True)
