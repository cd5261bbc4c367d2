"""A file appears under its final name only when it is complete and on disk."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY_SUFFIX = ".deblur-part"


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Path of an empty temporary file that takes the final name when the block ends well.

    The temporary file lies in the folder of `final`, is hidden, and has a short name of its own,
    so a final name of any length works. It is flushed to disk before the rename, and removed when
    anything is raised, an interrupt included. Its mode follows the umask.

    Raises:
        OSError: the file cannot be created, flushed or renamed.
    """
    temporary = final.with_name(f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
    temporary.touch(mode=0o666, exist_ok=False)
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
