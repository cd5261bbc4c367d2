"""Keeps the pictures that were measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deblur_cli.checkpoints import folders
from deblur_cli.data.pairs import Pair
from deblur_cli.errors import UsageError
from deblur_cli.imaging.formats.png import PngEncoding
from deblur_cli.imaging.photo import Image, Photo
from deblur_cli.imaging.write import write_photo


def saved(folder: Path, name: str) -> Path:
    """Where a picture is kept."""
    return folder / f"{name}.png"


def refuse_among(pairs: Sequence[Pair], folder: Path) -> None:
    """Raise `UsageError` if pictures that are kept would lie beside those that are measured."""
    originals = {
        path.parent.resolve() for pair in pairs for path in (pair.blurred, pair.sharp) if path
    }
    if originals & {saved(folder, pair.name).parent.resolve() for pair in pairs}:
        raise UsageError(
            "--save would put results among the pictures that are measured",
            path=folder,
            remedy="name a folder of their own",
        )


def save_picture(path: Path, picture: Image) -> None:
    """Write `(H, W, 3)` RGB as PNG: uint8 as it is, float32 in [0,1] with 16 bits.

    Raises:
        ImageWriteError: the file cannot be written.
        UsageError: its folder cannot be made.
    """
    make_folder(path.parent)
    if picture.dtype == np.float32:
        picture = np.rint(picture * np.float32(np.iinfo(np.uint16).max)).astype(np.uint16)
    write_photo(path, Photo(picture, PngEncoding()))


def make_folder(folder: Path) -> None:
    """Make a folder for results; raises `UsageError` if that cannot be done."""
    folders.make_folder(folder, UsageError, remedy="choose another")
