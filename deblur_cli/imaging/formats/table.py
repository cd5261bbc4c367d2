"""Which reader understands a file, by its content, and what its result will be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, cast

from deblur_cli.imaging.formats import signature
from deblur_cli.imaging.formats.raw_suffixes import RAW_SUFFIXES
from deblur_cli.imaging.source import Source, Stored
from deblur_cli.storage.remote import RemotePath, located


@dataclass(frozen=True)
class Format:
    """A format that can be read.

    Attributes:
        module: the module of this room whose `read` decodes it.
        suffixes: lower-case endings of such files' names.
        becomes: the ending of the result's name where the format cannot be written.
        is_extra: the library that decodes it need not be installed; the module's
            `require_library` tells.
    """

    module: str
    suffixes: tuple[str, ...]
    becomes: str | None = None
    is_extra: bool = False

    def read(self, source: Source) -> Stored:
        """Decode a file.

        Raises:
            MissingExtraError: the library for it is not installed.
            UnsupportedError: the kind of picture is not supported.
            TooLargeError: it has too many pixels.
            Exception: whatever the decoder raises on damaged data.
        """
        return cast("Callable[[Source], Stored]", self._decoder().read)(source)

    def require_library(self) -> None:
        """Raise `MissingExtraError` if the library that decodes such files is not installed."""
        if self.is_extra:
            self._decoder().require_library()

    def _decoder(self) -> ModuleType:
        return import_module(f"deblur_cli.imaging.formats.{self.module}")


RAW = "raw photo"
FORMATS = {
    "JPEG": Format("jpeg", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")),
    "PNG": Format("png", (".png",)),
    "WebP": Format("webp", (".webp",)),
    "TIFF": Format("tiff", (".tif", ".tiff")),
    "HEIF": Format("heif", (".heic", ".heif", ".hif"), is_extra=True),
    "AVIF": Format("avif", (".avif",)),
    "JPEG 2000": Format("jpeg2000", (".jp2", ".j2k", ".j2c", ".jpf", ".jpx")),
    "JPEG XL": Format("jxl", (".jxl",), becomes=".tif", is_extra=True),
    "OpenEXR": Format("exr", (".exr",)),
    "Netpbm": Format("netpbm", (".pgm", ".ppm", ".pnm", ".pbm", ".pfm")),
    "BMP": Format("bmp", (".bmp", ".dib")),
    "GIF": Format("gif", (".gif",), becomes=".png"),
    RAW: Format("raw", RAW_SUFFIXES, becomes=".tif", is_extra=True),
}

SUFFIXES = frozenset(suffix for known in FORMATS.values() for suffix in known.suffixes)
"""Lower-case endings of the names of files that can be read."""


def identify(file: BinaryIO, suffix: str) -> str | None:
    """Name of the format of an open file: a key of `FORMATS`, one that cannot be read, or None."""
    name = signature.identify(file.read(signature.LENGTH))
    is_raw = name == "TIFF" and (suffix in RAW_SUFFIXES or _holds_sensor_data(file))
    return RAW if is_raw or (name and name.endswith("raw")) else name


def target_suffix(path: str | Path) -> str:
    """The ending that the result of a file will have, known without decoding it.

    The file's own, unless its format cannot be written: raw photos and JPEG XL become TIFF, GIF
    becomes PNG. A file that cannot be opened, or is no image, keeps its ending: reading it tells.
    Of an object on a storage, its ending tells the format.
    """
    path = located(path)
    if isinstance(path, RemotePath):
        name = _named(path.suffix.lower())
    else:
        try:
            with path.open("rb", buffering=0) as file:
                name = identify(file, path.suffix.lower())
        except OSError:
            return path.suffix
    known = FORMATS.get(name or "")
    return known.becomes if known and known.becomes else path.suffix


def _named(suffix: str) -> str | None:
    return next((name for name, known in FORMATS.items() if suffix in known.suffixes), None)


def _holds_sensor_data(file: BinaryIO) -> bool:
    """Whether a TIFF structure is a camera's: a DNG, or one that begins with a reduced preview."""
    from deblur_cli.imaging.formats.tiff_directory import DamagedDirectoryError
    from deblur_cli.imaging.formats.tiff_tags import is_raw, read_directory

    try:
        directory, layout = read_directory(file)
    except DamagedDirectoryError:
        return False
    return is_raw(directory, layout)
