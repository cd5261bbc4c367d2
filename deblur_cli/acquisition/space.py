"""Whether the disks have room for what is about to be written."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from deblur_cli.errors import DataError


def require_space(name: str, needs: Iterable[tuple[Path, int]]) -> None:
    """Refuse to begin what cannot end.

    Args:
        name: what the room is for.
        needs: folders, which need not exist yet, and how many bytes go into each. Those on one disk
            are added up.

    Raises:
        DataError: a disk has less room.
    """
    wanted: dict[int, int] = defaultdict(int)
    places: dict[int, Path] = {}
    for folder, size in needs:
        there = _existing(folder)
        disk = there.stat().st_dev
        wanted[disk] += size
        places.setdefault(disk, there)
    for disk, size in wanted.items():
        free = shutil.disk_usage(places[disk]).free
        if size > free:
            raise DataError(
                f"{name} needs {in_gigabytes(size)} on this disk, "
                f"which has {in_gigabytes(free)} free",
                path=places[disk],
                remedy="make room, let --data name another disk, or HF_HOME for the download",
            )


def in_gigabytes(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())
