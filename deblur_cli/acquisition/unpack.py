"""Archives unpacked into an empty folder, and never beside it."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from deblur_cli.errors import DataError

_LITTER = "__MACOSX"


@dataclass(frozen=True)
class _Member:
    """What an archive says of one of its files, and how it is read."""

    name: str
    is_file: bool
    """False for links and devices."""
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path) -> list[str]:
    """Write every file of a zip or tar archive below an empty folder.

    Links and devices are left out, and so are hidden files, which archivers add.

    Args:
        archive: zip, or tar with any compression that Python reads; the name does not matter.
        folder: exists and is empty.

    Returns:
        The names of links and devices.

    Raises:
        DataError: it is no archive, is damaged, or has files that would lie outside the folder.
        OSError: a file cannot be written.
    """
    left_out = []
    try:
        for member in _members(archive):
            path = safe_path(member.name, archive)
            if _is_litter(path):
                continue
            if not member.is_file:
                left_out.append(member.name)
                continue
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as content, target.open("xb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
    except FileExistsError as error:
        raise DataError(f"has two files named {error.filename}", path=archive) from error
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, RuntimeError) as error:
        raise DataError(
            f"is a damaged archive: {error}", path=archive, remedy="delete it and fetch it again"
        ) from error
    return left_out


def unpacked_bytes(archive: Path) -> int | None:
    """How much its files take when they are unpacked; None if that takes reading all of it."""
    if not zipfile.is_zipfile(archive):
        return None
    with zipfile.ZipFile(archive) as opened:
        return sum(info.file_size for info in opened.infolist())


def safe_path(name: str, source: Path | None = None) -> PurePosixPath:
    """A file's name as a path that stays within any folder it is appended to.

    Raises:
        DataError: it is absolute, climbs out, or means something else on another platform.
    """
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or set(name) & set("\\:\0"):
        raise DataError(
            f"has a file that would lie outside its folder: {name!r}; nothing was unpacked",
            path=source,
            remedy="fetch the set from its authors",
        )
    return path


def _members(archive: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(archive):
        yield from _of_zip(archive)
    elif tarfile.is_tarfile(archive):
        yield from _of_tar(archive)
    else:
        raise DataError(
            "is no archive that can be unpacked", path=archive, remedy="delete it and try again"
        )


def _of_zip(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            mode = stat.S_IFMT(info.external_attr >> 16)
            if not info.is_dir():
                regular = mode in (0, stat.S_IFREG)
                yield _Member(info.filename, regular, lambda info=info: opened.open(info))  # type: ignore[misc]


def _of_tar(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive) as opened:
        for info in opened:
            if not info.isdir():
                yield _Member(info.name, info.isfile(), lambda info=info: _content(opened, info))  # type: ignore[misc]


def _content(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = opened.extractfile(info)
    assert content is not None, "a regular file has content"
    return content


def _is_litter(path: PurePosixPath) -> bool:
    return path.parts[0] == _LITTER or any(part.startswith(".") for part in path.parts)
