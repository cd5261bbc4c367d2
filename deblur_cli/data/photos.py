"""Sharp photos, read into memory once for the synthesis of blur."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from deblur_cli.data.camera import Picture
from deblur_cli.errors import ImageReadError, UsageError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})


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
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not photos:
        raise UsageError("no photos in this folder", path=folder, remedy="add JPEG or PNG files")
    return photos


def read_rgb(path: Path) -> Picture:
    """One photo as ``(H, W, 3)`` RGB uint8; 16-bit files keep their upper 8 bits.

    Raises:
        ImageReadError: the file is missing or damaged.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ImageReadError("cannot be read as an image", path=path, remedy="remove or replace it")
    return np.asarray(picture, dtype=np.uint8)
