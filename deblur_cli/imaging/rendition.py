"""A photo as the network gets it, opaque and in sRGB, and the way back into the photo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deblur_cli.imaging.alpha import fill_transparent, keep_transparent
from deblur_cli.imaging.colour import ColourSpace, Floats, Linear, decode_srgb, encode_srgb
from deblur_cli.imaging.icc import BadProfileError, colour_space
from deblur_cli.imaging.photo import Image, Photo

_BAND_PIXELS = 1 << 18
_STEP = 8
_MOST = 0.5


@dataclass(frozen=True)
class Rendition:
    """What the network gets for a photo.

    Attributes:
        photo: the photo as it was read, with notes on how its colours were understood.
        pixels: `(H, W, 3)` sRGB: the photo's own where they are that already, else uint16.
        space: what the photo's samples mean; None for sRGB.
    """

    photo: Photo
    pixels: Image
    space: ColourSpace | None

    def restored(self, pixels: Image) -> Photo:
        """The photo with a restored rendition, in its own colour space and dtype.

        What the network changed, as a difference of linear light, is added to the photo: colours
        outside sRGB and values above white stay there, and a pixel that the network left alone
        keeps its exact samples. So do the colours under fully transparent pixels.

        Raises:
            ValueError: the shape or dtype is not the rendition's.
        """
        if pixels.shape != self.pixels.shape or pixels.dtype != self.pixels.dtype:
            raise ValueError(f"{pixels.shape} {pixels.dtype} is no restored rendition")
        original, alpha = self.photo.pixels, self.photo.alpha
        result = pixels
        if self.space is not None:
            result = _changed(original, self.pixels, pixels, self.space)
        if alpha is not None:
            result = keep_transparent(result, original, alpha)
        return self.photo.with_pixels(result)


def render(photo: Photo) -> Rendition:
    """The rendition of a photo.

    The ICC profile says what the samples mean. Without one, or if it is damaged, integers are sRGB,
    and floats linear light of sRGB's primaries.
    """
    space, notes = meaning(photo)
    pixels = photo.pixels if space is None else _in_srgb(photo.pixels, space)
    if photo.alpha is not None:
        pixels = fill_transparent(pixels, photo.alpha)
    notes = (*photo.notes, *notes, *_beyond_white(photo.pixels))
    return Rendition(replace(photo, notes=notes), pixels, space)


def _beyond_white(pixels: Image) -> Iterator[str]:
    if pixels.dtype == np.float32 and (pixels[::_STEP, ::_STEP] > 1).mean() > _MOST:
        yield "most of it is brighter than white, which is 1: the network sees only white there"


def meaning(photo: Photo) -> tuple[ColourSpace | None, tuple[str, ...]]:
    """What the photo's samples mean, None for sRGB, and notes on how that was understood."""
    dtype, icc = photo.pixels.dtype, photo.metadata.icc
    unmarked = Linear() if dtype == np.float32 else None
    if icc is None:
        return unmarked, ()
    try:
        return colour_space(icc, dtype, photo.greyscale), ()
    except BadProfileError as error:
        taken_as = "sRGB" if unmarked is None else "linear sRGB"
        return unmarked, (f"its colour profile {error}; its colours are taken as {taken_as}",)


def _in_srgb(pixels: Image, space: ColourSpace) -> Image:
    rendition = np.empty(pixels.shape, np.uint16)
    for rows in _bands(pixels):
        rendition[rows] = encode_srgb(space.to_linear(pixels[rows]))
    return rendition


def _changed(original: Image, seen: Image, restored: Image, space: ColourSpace) -> Image:
    """The original with the difference between what the network saw and what it gave."""
    result = original.copy()
    for rows in _bands(original):
        before, after, samples = seen[rows], restored[rows], original[rows]
        if not np.array_equal(before, after):
            shifted = space.shifted(samples, decode_srgb(after) - decode_srgb(before))
            valid = np.where(np.isfinite(shifted), shifted, samples)
            result[rows] = _in_dtype(valid, original.dtype)
    return result


def _bands(pixels: Image) -> Iterator[slice]:
    """Slices of rows, so that floats of the whole picture are never needed at once."""
    height, width = pixels.shape[:2]
    rows = max(1, _BAND_PIXELS // width)
    return (slice(top, top + rows) for top in range(0, height, rows))


def _in_dtype(samples: Floats, dtype: np.dtype[Any]) -> Image:
    if dtype == np.float32:
        return samples.astype(np.float32)
    return np.rint(samples).clip(0, np.iinfo(dtype).max).astype(dtype)
