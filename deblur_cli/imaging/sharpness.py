"""How sharp a picture is, told from the picture alone: by the width of its edges.

If an edge that a Gaussian of σ has blurred is blurred again by σ0, its gradient falls by the factor
sqrt(σ² + σ0²) / σ, whatever its contrast (Zhuo and Sim, "Defocus map estimation from a single
image", 2011, eq. 4); so σ follows from the gradients before and after.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from deblur_cli.imaging.photo import Image

SHARP = 0.5
"""Pictures of this score or more count as sharp: hardly a part is blurred by more than a pixel.

It errs towards restoring: of 52 photos with real motion blur or defocus none scores more, and of
their sharp twins 37 % do (`python -m benchmarks.sharpness` on GoPro's and DPDD's pairs).
"""

_CELLS = 6
_PATCH = 256
_DIRECTIONS = 4
_FEWEST_EDGES = 30
_SMOOTHING = 0.7
_REBLUR = 1.0
_STRONGEST = 80
_FAINTEST = 16.0
_NOISE_MARGIN = 5.0
_BLURRIEST = 90

_Samples = npt.NDArray[np.float32]


def sharpness(image: Image) -> float:
    """Score of a picture: 1 is sharp to the pixel, 0.5 blurred by one, 1 / (1 + σ) by σ pixels.

    It is that of the worst parts: of 36 cells the tenth that is blurred most counts, in each the
    direction that is blurred most, as motion leaves the edges along it sharp. Parts without edges
    do not count, and neither does what is no stronger than the noise. Of large pictures the middle
    of each cell is looked at, at full size.

    Args:
        image: `(H, W, 3)` sRGB, uint8, uint16 or float32.

    Returns:
        0 to 1; 0 where no part has edges, as in a picture blurred beyond recognition.
    """
    widths = [width for patch in _patches(image) if (width := _edge_width(patch)) is not None]
    return 1 / (1 + float(np.percentile(widths, _BLURRIEST))) if widths else 0.0


def _patches(image: Image) -> Iterator[_Samples]:
    """The middle of each cell, grey, 0 to 255."""
    dtype: np.dtype[Any] = image.dtype
    full_scale = 1 if dtype == np.float32 else np.iinfo(dtype).max
    for rows in _middles(image.shape[0]):
        for columns in _middles(image.shape[1]):
            patch = np.asarray(image[rows, columns], np.float32) @ np.array(
                [0.299, 0.587, 0.114], np.float32
            )
            yield np.nan_to_num(patch * np.float32(255 / full_scale)).clip(0, 255)


def _middles(length: int) -> Iterator[slice]:
    """The middle of each of the cells that a side is cut into."""
    side = min(_PATCH, max(1, length // _CELLS))
    for cell in range(_CELLS):
        start = (2 * cell + 1) * length // (2 * _CELLS) - side // 2
        yield slice(max(0, start), start + side)


def _edge_width(patch: _Samples) -> float | None:
    """σ in pixels across the edges of the direction where it is largest; None without edges."""
    import cv2

    if min(patch.shape) < 3:
        return None
    patch = cv2.GaussianBlur(patch, (0, 0), _SMOOTHING)
    across, down = _gradients(patch)
    across_again, down_again = _gradients(cv2.GaussianBlur(patch, (0, 0), _REBLUR))
    strength = cv2.magnitude(across, down)
    noise = np.median(np.abs(across - across_again)) / 0.6745
    least = max(np.percentile(strength, _STRONGEST), _FAINTEST, _NOISE_MARGIN * noise)
    edges = _ridges(strength, np.abs(across) > np.abs(down)) & (strength > least)
    again = cv2.magnitude(across_again, down_again)[edges]
    ratio = strength[edges] / np.maximum(again, 1e-3)
    squares = _REBLUR**2 / np.maximum(ratio**2 - 1, 1e-3) - _SMOOTHING**2
    turns = np.arctan2(down[edges], across[edges]) / np.pi * _DIRECTIONS
    directions = np.rint(turns).astype(int) % _DIRECTIONS
    alike = [squares[directions == direction] for direction in range(_DIRECTIONS)]
    medians = [np.median(each) for each in alike if len(each) >= _FEWEST_EDGES]
    return float(np.sqrt(max(0.0, *medians))) if medians else None


def _gradients(patch: _Samples) -> tuple[_Samples, _Samples]:
    import cv2

    return cv2.Sobel(patch, cv2.CV_32F, 1, 0), cv2.Sobel(patch, cv2.CV_32F, 0, 1)


def _ridges(strength: _Samples, across: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Where the gradient is no weaker than beside it, across the edge."""
    around = np.pad(strength, 1, mode="edge")
    left, right = around[1:-1, :-2], around[1:-1, 2:]
    above, below = around[:-2, 1:-1], around[2:, 1:-1]
    beside = np.where(across, np.maximum(left, right), np.maximum(above, below))
    return strength >= beside
