"""A file appears under its final name only when it is complete and on disk."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir

from deblur_cli.storage.remote import RemotePath

TEMPORARY_SUFFIX = ".deblur-part"
_START = secrets.token_hex(6)
_adopted: str | None = None


def owner() -> str:
    """What tells the temporary files of this process from those of others, its forks included."""
    return _adopted or f"{_START}{os.getpid():x}"


def adopt(other: str) -> None:
    """Let the temporary files of this process count as those of the one it works for."""
    global _adopted
    _adopted = other


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Path of an empty temporary file that takes the final name when the block ends well.

    The temporary file lies in the folder of `final`, is hidden, and has a short name of its own,
    so a final name of any length works. It is flushed to disk before the rename, and removed when
    anything is raised, an interrupt included. Its mode follows the umask.

    A drive may refuse to rename over a file. The file that is there then stays: to move it away
    first would leave a moment without any.

    Raises:
        OSError: the file cannot be created, flushed or renamed.
    """
    with draft(final) as temporary:
        yield temporary
    publish(temporary, final)


@contextmanager
def draft(final: Path) -> Iterator[Path]:
    """As `atomic_path`, but the temporary file waits for `publish` when the block ends well.

    Raises:
        OSError: the file cannot be created or flushed.
    """
    temporary = workplace(final) / f".{owner()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    temporary.touch(mode=0o666, exist_ok=False)
    try:
        yield temporary
        _flush(temporary)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def workplace(final: Path) -> Path:
    """Where the temporary files of a result lie: beside it, if that is on this machine."""
    return Path(gettempdir()) if isinstance(final, RemotePath) else final.parent


def publish(temporary: Path, final: Path) -> None:
    """Give a draft its name, or remove it; raises `OSError` if it cannot be renamed."""
    try:
        _rename(temporary, final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep(folder: Path, owners: Iterable[str]) -> None:
    """Remove the temporary files that processes left when they were killed, as far as possible."""
    dead = set(owners)
    with suppress(OSError):
        for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
            if path.name[1:].partition("-")[0] in dead:
                path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    mode = "rb" if os.name == "posix" else "rb+"  # a file's own mode may forbid more
    with path.open(mode) as file:
        os.fsync(file.fileno())


def _rename(temporary: Path, final: Path) -> None:
    if isinstance(final, RemotePath):
        final.put(temporary)
        temporary.unlink()
        return
    try:
        temporary.replace(final)
    except (FileExistsError, PermissionError) as error:
        if not final.exists():
            raise
        problem = "what is there already may not be replaced, and was kept"
        raise OSError(error.errno, problem, str(final)) from error
