"""Writes a photo in its source's format and settings, all of it or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image

from deblur_cli.errors import ImageWriteError
from deblur_cli.imaging.atomic import atomic_path
from deblur_cli.imaging.photo import Photo


def write_photo(path: str | Path, photo: Photo) -> None:
    """Write a photo of 8-bit pixels; the file appears, or replaces another, only when complete.

    Raises:
        ImageWriteError: the format cannot hold the photo, or the file cannot be written.
    """
    path = Path(path)
    try:
        content = encode_photo(photo)
    except Exception as error:  # encoders raise anything on odd metadata
        raise ImageWriteError(
            f"cannot be encoded as {photo.encoding.format}: {error}", path=path
        ) from error
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise ImageWriteError(
            f"cannot be written: {error.strerror or error}",
            path=path,
            remedy="check its folder's permissions and space, or write elsewhere",
        ) from error


def encode_photo(photo: Photo) -> bytes:
    """The photo as the bytes of an image file.

    Raises:
        Exception: whatever the encoder raises when the format cannot hold the photo.
    """
    return photo.encoding.encode(_to_pillow(photo), photo.metadata)


def _to_pillow(photo: Photo) -> PIL.Image.Image:
    if photo.pixels.dtype != np.uint8:
        raise ValueError(f"pixels are {photo.pixels.dtype}, not uint8")
    image = PIL.Image.fromarray(photo.pixels)
    if photo.greyscale:
        image = image.convert("L")
    if photo.alpha is not None:
        image.putalpha(PIL.Image.fromarray(photo.alpha))
    return image
