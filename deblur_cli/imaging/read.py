"""Reads a photo of any supported format by its content; what is wrong becomes one clear error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from deblur_cli.errors import DeblurError, ImageReadError
from deblur_cli.imaging.decode import to_photo
from deblur_cli.imaging.formats import signature
from deblur_cli.imaging.formats.table import FORMATS, SUFFIXES, identify
from deblur_cli.imaging.photo import Photo
from deblur_cli.imaging.source import Source, TooLargeError, UnsupportedError
from deblur_cli.storage.remote import RemotePath, located

__all__ = ["SUFFIXES", "looks_like_image", "read_photo", "require_readable"]


def looks_like_image(path: str | Path) -> bool:
    """Whether the file's content begins like an image's, readable here or not, whatever its name.

    False for anything that cannot be opened.
    """
    try:
        with located(path).open("rb") as file:
            return signature.identify(file.read(signature.LENGTH)) is not None
    except OSError:
        return False


def read_photo(path: str | Path, max_pixels: int | None = None) -> Photo:
    """Read an image file, by its content.

    Pixels are upright: the EXIF orientation is applied and then reset. Their dtype is the file's
    depth: uint8, uint16 (9 to 16 bits) or float32. Grey pictures get three equal channels and are
    marked; palettes become full colour, CMYK becomes sRGB; transparency becomes alpha.

    Args:
        path: the file.
        max_pixels: the largest picture allowed. Without it, pictures of more than
            `source.MAX_PIXELS` are refused, and large ones whose file is too small to hold them.

    Raises:
        ImageReadError: the file cannot be opened, is damaged or no image, is too large, or is of a
            kind not supported (animated, several pages and so on).
        MissingExtraError: its format needs a library that is not installed.
    """
    path = located(path)
    with _opened(path) as file:
        return _read(file, path, max_pixels)


def require_readable(path: Path) -> None:
    """Raise what `read_photo` does, if a file's first bytes tell it; nothing is decoded.

    Of an object on a storage, which comes as a whole, nothing is asked.

    Raises:
        ImageReadError: the file cannot be opened, is empty, no image, or of no supported format.
        MissingExtraError: its format needs a library that is not installed.
    """
    if not isinstance(path, RemotePath):
        with _opened(path, buffering=0) as file:
            FORMATS[_identify(file, path)].require_library()


@contextmanager
def _opened(path: Path, buffering: int = -1) -> Iterator[BinaryIO]:
    try:
        with path.open("rb", buffering) as file:
            yield file
    except OSError as error:
        raise ImageReadError(f"cannot be read: {error.strerror or error}", path=path) from error


def _read(file: BinaryIO, path: Path, max_pixels: int | None) -> Photo:
    name = _identify(file, path)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        return to_photo(FORMATS[name].read(Source(file, size, max_pixels)))
    except DeblurError:
        raise
    except UnsupportedError as error:
        raise _unsupported(str(error), path) from error
    except TooLargeError as error:
        raise ImageReadError(str(error), path=path, remedy="--max-pixels allows it") from error
    except MemoryError as error:
        raise ImageReadError(f"not enough memory for this {name} picture", path=path) from error
    except Exception as error:  # decoders raise anything on damaged data
        raise ImageReadError(
            f"damaged or incomplete {name} file: {_one_line(error)}",
            path=path,
            remedy="fetch an intact copy",
        ) from error


def _identify(file: BinaryIO, path: Path) -> str:
    name = identify(file, path.suffix.lower())
    if name is None:
        if file.seek(0, os.SEEK_END) == 0:
            raise ImageReadError("empty file", path=path, remedy="fetch an intact copy")
        raise ImageReadError("not an image, whatever its name says", path=path)
    if name not in FORMATS:
        raise _unsupported(f"{name} files", path)
    return name


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _unsupported(what: str, path: Path) -> ImageReadError:
    return ImageReadError(
        f"{what} are not supported",
        path=path,
        remedy="convert it to an RGB or grey JPEG, PNG, WebP or TIFF",
    )
