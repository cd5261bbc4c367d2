"""Image sequences get their names when they are complete, the first picture last."""

from __future__ import annotations

import os
from pathlib import Path

from deblur_cli.errors import VideoWriteError
from deblur_cli.video.sequences import PictureSequence, is_sequence


def place_of_result(folder: Path, target: Path) -> Path:
    """Where a result is put together in a work folder: a file, or pictures in a folder of theirs.

    Raises `OSError`.
    """
    if not is_sequence(target):
        return folder
    folder.mkdir(exist_ok=True)
    return folder / target.name


def hand_over_pictures(made: Path, target: Path) -> None:
    """Give finished pictures their names; old ones behind their end go.

    Wherever this is cut short, the first picture is missing, and with it the result.

    Args:
        made: the sequence in the work folder.
        target: as it shall be.

    Raises:
        OSError: the disk does not take them.
    """
    pictures, named = PictureSequence(made), PictureSequence(target)
    numbers = pictures.numbers()
    named.picture(numbers[0]).unlink(missing_ok=True)
    for number in named.numbers():
        if number > numbers[-1]:
            named.picture(number).unlink()
    for number in reversed(numbers):
        with pictures.picture(number).open("rb+") as file:
            os.fsync(file.fileno())
        pictures.picture(number).replace(named.picture(number))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all pictures of a sequence."""
    if not is_sequence(path):
        return path.stat().st_size
    sequence = PictureSequence(path)
    return sum(sequence.picture(number).stat().st_size for number in sequence.numbers())


def refuse_other_pictures(target: Path, first: Path) -> None:
    """Raise `VideoWriteError` if pictures of another sequence stand in a result's place."""
    if not is_sequence(target) or first.exists():
        return
    sequence = PictureSequence(target)
    if numbers := sequence.numbers():
        raise VideoWriteError(
            "another picture stands there",
            path=sequence.picture(numbers[0]),
            remedy="--overwrite replaces the sequence",
        )
