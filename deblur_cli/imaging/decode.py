"""Turns an open image file of a known format into a photo, refusing what would lose depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import PIL.Image
from PIL import JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from deblur_cli.imaging import jpeg, png, tiff, webp
from deblur_cli.imaging.metadata import read_metadata
from deblur_cli.imaging.photo import Encoding, Photo

MAX_PIXELS = 500_000_000
"""Larger pictures are refused unread, as a small file can claim any size (decompression bomb)."""

PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's TIFF decoder has a lower bound of its own


class UnsupportedError(Exception):
    """The file is of a kind not supported; the text names the kind."""


class TooLargeError(Exception):
    """The picture has more than `MAX_PIXELS` pixels; the text gives its size."""


@dataclass(frozen=True)
class _Format:
    open: Callable[[BinaryIO], PIL.Image.Image]
    unsupported: Callable[[BinaryIO], str | None]
    encoding: Callable[[PIL.Image.Image, BinaryIO], Encoding]


_FORMATS = {
    "JPEG": _Format(JpegImagePlugin.JpegImageFile, jpeg.unsupported, jpeg.JpegEncoding.of),
    "PNG": _Format(PngImagePlugin.PngImageFile, png.unsupported, png.PngEncoding.of),
    "WebP": _Format(WebPImagePlugin.WebPImageFile, webp.unsupported, webp.WebpEncoding.of),
    "TIFF": _Format(TiffImagePlugin.TiffImageFile, tiff.unsupported, tiff.TiffEncoding.of),
}
READABLE = frozenset(_FORMATS)

_OPAQUE_MODES = {"RGB": "RGB", "L": "L", "P": "RGB"}
_ALPHA_MODES = {"RGB": "RGBA", "RGBA": "RGBA", "L": "LA", "LA": "LA", "P": "RGBA", "PA": "RGBA"}
_TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}


def decode(file: BinaryIO, name: str) -> Photo:
    """Decode a file of one of the `READABLE` formats.

    Raises:
        UnsupportedError: the kind of picture is not supported.
        TooLargeError: it has more than `MAX_PIXELS` pixels.
        Exception: whatever the decoder raises on damaged data.
    """
    form = _FORMATS[name]
    if what := form.unsupported(file):
        raise UnsupportedError(what)
    file.seek(0)
    with form.open(file) as image:
        _refuse_unsuitable(image, name)
        image.load()
        return _to_photo(image, form.encoding(image, file))


def _refuse_unsuitable(image: PIL.Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise TooLargeError(f"{image.width} x {image.height} pixels")
    if getattr(image, "n_frames", 1) > 1:
        raise UnsupportedError("multi-page TIFF" if name == "TIFF" else f"animated {name}")
    if image.mode == "1":
        raise UnsupportedError(f"1-bit {name}")
    if image.mode not in _OPAQUE_MODES | _ALPHA_MODES:
        raise UnsupportedError(f"{image.mode} {name}")


def _to_photo(image: PIL.Image.Image, encoding: Encoding) -> Photo:
    reading = read_metadata(image)
    modes = _ALPHA_MODES if image.has_transparency_data else _OPAQUE_MODES
    picture = _in_mode(image, modes[image.mode])
    if reading.orientation in _TURNS:
        picture = picture.transpose(_TURNS[reading.orientation])
    samples = np.atleast_3d(np.asarray(picture))
    has_alpha, is_grey = picture.mode.endswith("A"), picture.mode.startswith("L")
    colours = samples[:, :, : samples.shape[2] - has_alpha]
    return Photo(
        pixels=np.array(np.broadcast_to(colours, (*colours.shape[:2], 3)), order="C"),
        alpha=np.array(samples[:, :, -1], order="C") if has_alpha else None,
        greyscale=is_grey,
        encoding=encoding,
        metadata=reading.metadata,
        notes=reading.notes,
    )


def _in_mode(image: PIL.Image.Image, mode: str) -> PIL.Image.Image:
    return image if image.mode == mode else image.convert(mode)
