"""Folders that are made where they are missing."""

from __future__ import annotations

from pathlib import Path

from deblur_cli.errors import DeblurError


def make_folder(folder: Path, refusal: type[DeblurError], remedy: str) -> None:
    """Make a folder, and those that it lies in; raises `refusal` if that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(
            f"the folder cannot be made: {error.strerror or error}", path=folder, remedy=remedy
        ) from error
