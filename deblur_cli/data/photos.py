"""Photos on disk: found in folders, and read as RGB with 8 bits or as deep as they are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from deblur_cli.data.camera import Picture
from deblur_cli.errors import ImageReadError, UsageError
from deblur_cli.imaging.photo import Image

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})

JPEG_MARKER = b"\xff"
JPEG_START, JPEG_SCAN, JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def load_sharp(folder: Path) -> list[Picture]:
    """Every photo of a folder and its subfolders, in the order of their names.

    Returns:
        ``(H, W, 3)`` RGB uint8 each, sizes as they come.

    Raises:
        UsageError: the folder is missing or holds no photo.
        ImageReadError: a photo is damaged.
    """
    return [read_rgb(path) for path in list_photos(folder)]


def list_photos(folder: Path) -> list[Path]:
    """Paths of every photo in a folder and its subfolders, sorted.

    Raises:
        UsageError: the folder is missing or holds no photo.
    """
    if not folder.is_dir():
        raise UsageError("no such folder of photos", path=folder, remedy="check the path")
    photos = photos_below(folder)
    if not photos:
        raise UsageError("no photos in this folder", path=folder, remedy="add JPEG or PNG files")
    return photos


def photos_below(folder: Path) -> list[Path]:
    """Paths of every photo in a folder and its subfolders, sorted; none if there is no folder.

    Hidden files are left out: archives made on a Mac hold one beside each photo.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def read_rgb(path: Path) -> Picture:
    """One photo as ``(H, W, 3)`` RGB uint8; 16-bit files keep their upper 8 bits.

    Raises:
        ImageReadError: the file is missing, incomplete or damaged.
    """
    return np.asarray(_decoded(path, cv2.IMREAD_COLOR_RGB), dtype=np.uint8)


def read_native(path: Path) -> Image:
    """One photo as ``(H, W, 3)`` RGB, uint8 or uint16 as the file has it; raises as `read_rgb`."""
    return _decoded(path, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH)


def _decoded(path: Path, flags: int) -> Image:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImageReadError(f"cannot be read: {error.strerror}", path=path) from error
    if _is_cut_jpeg(content):
        raise ImageReadError("incomplete JPEG", path=path, remedy="fetch an intact copy")
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    if picture is None:
        raise ImageReadError("cannot be read as an image", path=path, remedy="remove or replace it")
    decoded: Image = picture
    return decoded


def _is_cut_jpeg(content: bytes) -> bool:
    """Whether a JPEG lacks its end; OpenCV fills what is missing with grey and says nothing.

    Previews before the picture and videos after it, which cameras add, do not matter.
    """
    if not content.startswith(JPEG_START):
        return False
    segment = len(JPEG_START)
    while content[segment : segment + 2] != JPEG_SCAN:
        if content[segment : segment + 1] != JPEG_MARKER:
            return True
        segment += 2 + int.from_bytes(content[segment + 2 : segment + 4], "big")
    return JPEG_END not in content[segment:]
