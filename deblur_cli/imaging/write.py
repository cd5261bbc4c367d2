"""Writes a photo in its source's format and settings, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from deblur_cli.errors import ImageWriteError
from deblur_cli.imaging.atomic import atomic_path, draft, publish
from deblur_cli.imaging.depth import Samples
from deblur_cli.imaging.photo import Image, Photo


def write_photo(path: str | Path, photo: Photo) -> None:
    """Write a photo; the file appears, or replaces another, only when complete.

    Raises:
        ImageWriteError: the format cannot hold the photo, or the file cannot be written.
    """
    path = Path(path)
    content = encoded(photo, path)
    with new_file(path) as temporary:
        temporary.write_bytes(content)


def encoded(photo: Photo, path: Path) -> bytes:
    """The photo as the content of the file at `path`.

    Raises:
        ImageWriteError: the format cannot hold the photo.
    """
    try:
        return encode_photo(photo)
    except Exception as error:  # encoders raise anything on odd metadata
        raise ImageWriteError(
            f"cannot be encoded as {photo.encoding.format}: {error}", path=path
        ) from error


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """As `atomic_path`, with errors for the user.

    Raises:
        ImageWriteError: the file cannot be written.
    """
    with _for_the_user(path), atomic_path(path) as temporary:
        yield temporary


@contextmanager
def new_draft(path: Path) -> Iterator[Path]:
    """As `draft`, with errors for the user; raises `ImageWriteError`."""
    with _for_the_user(path), draft(path) as temporary:
        yield temporary


def publish_draft(temporary: Path, path: Path) -> None:
    """As `publish`, with errors for the user; raises `ImageWriteError`."""
    with _for_the_user(path):
        publish(temporary, path)


@contextmanager
def _for_the_user(path: Path) -> Iterator[None]:
    try:
        yield
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
    return photo.encoding.encode(_samples(photo), photo.metadata)


def _samples(photo: Photo) -> Image:
    """(H, W, C): grey as one channel, alpha as the last."""
    colours = _grey(photo.pixels) if photo.greyscale else photo.pixels
    return colours if photo.alpha is None else np.asarray(np.dstack([colours, photo.alpha]))


def _grey(pixels: Samples) -> Image:
    """(H, W, 1): the luma of ITU-R BT.601, which is exactly the sample where all three agree."""
    if (pixels == pixels[:, :, :1]).all():
        return np.ascontiguousarray(pixels[:, :, :1])
    luma = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    if pixels.dtype != np.float32:
        luma = np.rint(luma)
    return np.asarray(luma.astype(pixels.dtype)[:, :, None])
