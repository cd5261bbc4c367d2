"""What paths mean: which place, which file, and of what kind. None of these raise `OSError`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

LEDGER_FOLDER = ".deblur"
"""The ledger's place in an output folder."""


def place(path: Path) -> Path:
    """Where a file lies: the real path of its folder, and its own name, a symbolic link or not."""
    return Path(os.path.realpath(path.parent), path.name)


def identity(path: Path) -> tuple[int, int] | None:
    """What a file or folder is, whatever its name (device, inode); None if there is none."""
    status = _status(path)
    return None if status is None else (status.st_dev, status.st_ino)


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder; False where it cannot be looked at."""
    status = _status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def is_regular_file(path: Path) -> bool:
    """Whether a path leads to a regular file; False where it cannot be looked at."""
    status = _status(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def is_special(path: Path) -> bool:
    """Whether a path leads to a pipe, a device or the like (a folder too)."""
    status = _status(path)
    return status is not None and not stat.S_ISREG(status.st_mode)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
