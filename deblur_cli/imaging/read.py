"""Reads a photo file: upright 8-bit pixels with all their metadata, or one clear error."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import signature
from deblur_cli.imaging.decode import MAX_PIXELS, READABLE, TooLargeError, UnsupportedError, decode
from deblur_cli.imaging.photo import Photo

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff"})
"""Lower-case endings of the names of files that can be read."""


def looks_like_image(path: str | Path) -> bool:
    """Whether the file's content begins like an image's, readable here or not, whatever its name.

    False for anything that cannot be opened.
    """
    try:
        with Path(path).open("rb") as file:
            return signature.identify(file.read(signature.LENGTH)) is not None
    except OSError:
        return False


def read_photo(path: str | Path) -> Photo:
    """Read an 8-bit JPEG, PNG, WebP or TIFF file, by its content.

    Pixels are uint8 and upright: the EXIF orientation is applied and then reset. Grey pictures get
    three equal channels and are marked; palettes become full colour; transparency becomes alpha.

    Raises:
        ImageReadError: the file cannot be opened, is damaged or no image, has more than
            `decode.MAX_PIXELS` pixels, or is of a kind not supported (deeper than 8 bits, CMYK,
            animated and so on).
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _read(file, path)
    except OSError as error:
        raise ImageReadError(f"cannot be read: {error.strerror or error}", path=path) from error


def _read(file: BinaryIO, path: Path) -> Photo:
    name = _identify(file, path)
    try:
        return decode(file, name)
    except UnsupportedError as error:
        raise _unsupported(str(error), path) from error
    except TooLargeError as error:
        raise ImageReadError(
            f"{error} are more than the {MAX_PIXELS // 10**6} million allowed",
            path=path,
            remedy="cut it into parts",
        ) from error
    except MemoryError as error:
        raise ImageReadError(f"not enough memory for this {name} picture", path=path) from error
    except Exception as error:  # decoders raise anything on damaged data
        raise ImageReadError(
            f"damaged or incomplete {name} file: {error}",
            path=path,
            remedy="fetch an intact copy",
        ) from error


def _identify(file: BinaryIO, path: Path) -> str:
    head = file.read(signature.LENGTH)
    if not head:
        raise ImageReadError("empty file", path=path, remedy="fetch an intact copy")
    name = signature.identify(head)
    if name is None:
        raise ImageReadError("not an image, whatever its name says", path=path)
    if name not in READABLE:
        raise _unsupported(f"{name} file", path)
    return name


def _unsupported(what: str, path: Path) -> ImageReadError:
    return ImageReadError(
        f"{what}s are not supported",
        path=path,
        remedy="convert it to an 8-bit RGB or grey JPEG, PNG, WebP or TIFF",
    )
