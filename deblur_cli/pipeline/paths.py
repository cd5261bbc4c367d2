"""What paths mean: which place, which file, and of what kind. None of these raise `OSError`."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from deblur_cli.storage.remote import RemotePath, located

LEDGER_FOLDER = ".deblur"
"""The ledger's place in an output folder."""


def place(path: Path) -> Path:
    """Where a file lies: the real path of its folder, and its own name, a symbolic link or not."""
    return located(real_folder(path.parent)) / path.name


def real_folder(folder: Path) -> str:
    """The real path of a folder, or its URL."""
    return str(folder) if isinstance(folder, RemotePath) else os.path.realpath(folder)


def named_from(folder: str, base: str) -> str:
    """What comes before the names of a folder's files, seen from a base; both as `real_folder`."""
    if "://" in base or "://" in folder:
        below = folder.removeprefix(f"{base}/") if folder != base else ""
    else:
        below = folder
        with suppress(ValueError):  # another drive on Windows
            below = os.path.relpath(folder, base)
        below = "" if below == os.curdir else Path(below).as_posix()
    return f"{below.rstrip('/')}/" if below else ""


def is_top(folder: Path) -> bool:
    """Whether a folder is in no other: a root, or a bucket."""
    return folder == (folder.bucket if isinstance(folder, RemotePath) else folder.parent)


def is_there(path: Path) -> bool:
    """Whether there is anything of this name, a broken link included."""
    if isinstance(path, RemotePath):
        return _status(path) is not None
    return os.path.lexists(path)


class Places:
    """Where files lie, as `place` says, with one look at each folder."""

    def __init__(self) -> None:
        self._real: dict[Path, str] = {}

    def folder(self, folder: Path) -> str:
        """The real path of a folder."""
        real = self._real.get(folder)
        if real is None:
            real = self._real[folder] = real_folder(folder)
        return real

    def of(self, path: Path) -> tuple[str, str]:
        """The real path of a file's folder, and its own name."""
        return self.folder(path.parent), path.name


class Named:
    """A set of files, by their folders and names."""

    def __init__(self) -> None:
        self._folders: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """How many there are."""
        return sum(map(len, self._folders.values()))

    def __contains__(self, where: tuple[str, str]) -> bool:
        """Whether a file, by its folder and name, is one of them."""
        folder, name = where
        return name in self._folders.get(folder, ())

    def add(self, folder: str, name: str) -> bool:
        """Whether it was not there yet; now it is."""
        names = self._folders.setdefault(folder, set())
        length = len(names)
        names.add(name)
        return len(names) > length

    def without(self, other: Named) -> int:
        """How many of them are not among the others."""
        return sum(
            len(names - other._folders.get(folder, set()))
            for folder, names in self._folders.items()
        )


def identity(path: Path) -> tuple[int, int] | str | None:
    """What a file or folder is, whatever its name (device, inode); None if there is none.

    On a storage names tell, and nobody is asked whether there is anything.
    """
    if isinstance(path, RemotePath):
        return str(path)
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
