"""Parts of a picture small enough to keep everything a network computes on the way."""

from __future__ import annotations

import torch
from torch import Tensor

from deblur_cli.errors import UsageError
from deblur_cli.inference.samples import Image, to_unit

Point = tuple[int, int]
"""Column and row of a pixel."""


def crop_around(picture: Image, centre: Point | None, side: int) -> Tensor:
    """The part around a pixel, moved inwards where it would leave the picture.

    Args:
        picture: `(H,W,3)`.
        centre: the pixel; None for the picture's middle.
        side: in pixels; the crop is smaller where the picture is.

    Returns:
        `(1,3,h,w)` float32 in [0,1].

    Raises:
        UsageError: there is no such pixel.
    """
    height, width = picture.shape[:2]
    column, row = (width // 2, height // 2) if centre is None else centre
    if not (0 <= column < width and 0 <= row < height):
        raise UsageError(
            f"the picture has no pixel at {column},{row}",
            remedy=f"columns are 0 to {width - 1}, rows 0 to {height - 1}",
        )
    rows, columns = _span(row, height, side), _span(column, width, side)
    return to_unit(torch.from_numpy(picture[rows, columns].copy())[None])


def crops_across(picture: Image, centre: Point | None, side: int) -> list[Tensor]:
    """`crop_around` the pixel and the middles of the picture's quarters, each part once."""
    height, width = picture.shape[:2]
    quarters = [(x * width // 4, y * height // 4) for y in (1, 3) for x in (1, 3)]
    crops: list[Tensor] = []
    for point in (centre, *quarters):
        crop = crop_around(picture, point, side)
        if not any(torch.equal(crop, other) for other in crops):
            crops.append(crop)
    return crops


def _span(middle: int, length: int, side: int) -> slice:
    side = min(side, length)
    first = min(max(middle - side // 2, 0), length - side)
    return slice(first, first + side)
