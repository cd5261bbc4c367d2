"""What a caller may know of a network without looking inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

HALVES = frozenset({torch.bfloat16, torch.float16})

Reach = Literal["surroundings", "means", "picture"]


@dataclass(frozen=True)
class SizeRule:
    """Heights and widths, in pixels, that a network works on."""

    multiple: int
    """Both are multiples of this."""
    minimum: int = 1
    """Neither is less."""
    square: bool = False
    """Whether they have to be equal."""

    def fit(self, height: int, width: int) -> tuple[int, int]:
        """The least height and width that a picture of this size fits into."""
        sides = (max(side, self.minimum) for side in (height, width))
        rows, columns = (-(-side // self.multiple) * self.multiple for side in sides)
        return (max(rows, columns),) * 2 if self.square else (rows, columns)


@dataclass(frozen=True)
class Tiling:
    """How a picture is best cut for a network; advice of its weights goes before."""

    largest: int = 0
    """Largest side of a tile, 0 for any."""
    step: int | None = None
    """Tiles begin at multiples of this; None for the multiple that the network works on."""
    reach: Reach = "picture"
    """What a pixel of the result depends on: `surroundings`, so that tiles show what the whole
    picture would; `means` over everything besides, so that this takes local pooling; or the whole
    `picture` in other ways too, so that tiles always differ a little."""


@dataclass(frozen=True)
class Descriptor:
    """Everything a caller may know of a network without looking inside."""

    name: str
    """Architecture, as `create_model` takes it, or as spandrel calls it in lower case."""
    config: Mapping[str, Any]
    """Arguments that make this layout; empty for networks of spandrel."""
    size: SizeRule
    """What the network works on; `RestorationModel` pads and crops by itself."""
    parameters: int
    """Number of parameters."""
    half_precision: frozenset[torch.dtype]
    """Dtypes besides float32 that the network may run in."""
    tiling: Tiling
    memory_per_megapixel: Callable[[torch.dtype, torch.device], int] = field(
        compare=False, repr=False
    )
    """Peak bytes of all tensors alive at once in a forward pass in this dtype on this device, per
    10⁶ pixels of the input; parameters do not count. It is found out by restoring a small picture,
    with local pooling as it is set at that moment."""

    @property
    def size_multiple(self) -> int:
        """Heights and widths are padded to multiples of this."""
        return self.size.multiple
