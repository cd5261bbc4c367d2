"""Where the files of a ledger are read and written: its own folder, or a mirror of objects."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from deblur_cli.storage.mirror import Mirror
from deblur_cli.storage.remote import RemotePath


class Desk(Protocol):
    """The folder of a ledger's files on this machine; all methods may raise `OSError`."""

    folder: Path

    def pull(self, mine: Path | None) -> None:
        """See what others have written; `mine` is this process's own file."""

    def push(self, file: Path) -> None:
        """Let others see what this process has written."""

    def is_full(self, file: Path) -> bool:
        """Whether another file should be begun."""

    def now(self, mine: Path | None) -> float:
        """Now by the clock of the drive."""


class _Drive:
    """The folder itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pull(self, mine: Path | None) -> None:
        """Others are seen as they write."""

    def push(self, file: Path) -> None:
        """Others see what is written."""

    def is_full(self, file: Path) -> bool:
        """Files grow."""
        return False

    def now(self, mine: Path | None) -> float:
        """As far as this process has a file there to tell it by."""
        with suppress(OSError):
            if mine is not None:
                return mine.stat().st_mtime
        return time.time()


def desk(folder: Path) -> Desk:
    """Where the ledger in a folder is at hand."""
    return Mirror(folder) if isinstance(folder, RemotePath) else _Drive(folder)
