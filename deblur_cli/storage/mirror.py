"""A folder of growing files on object storage, as a folder of this machine."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path

from deblur_cli.storage.remote import RemotePath

FULL_BYTES = 1 << 18
"""From here on another object is begun, as an object cannot grow: all of it is put again."""


class Mirror:
    """A temporary folder that has what its objects have; files of this process are put there.

    Raises:
        OSError: from all methods, where the storage fails.
    """

    def __init__(self, remote: RemotePath) -> None:
        self._remote = remote
        self._objects: dict[str, tuple[int, int]] = {}
        self._put = 0.0
        self._ahead = 0.0
        self.folder = Path(tempfile.mkdtemp(prefix="deblur-ledger-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def pull(self, mine: Path | None) -> None:
        """Take over what others have put."""
        for name, status in self._remote.entries().items():
            if mine is not None and name == mine.name:
                self._ahead = status.st_mtime - self._put
            elif self._objects.get(name) != (status.st_size, status.st_mtime_ns):
                self._fetch(name, status)

    def push(self, file: Path) -> None:
        """Let the object be what the file is."""
        (self._remote / file.name).put(file)
        self._put = time.time()

    def is_full(self, file: Path) -> bool:
        """Whether another object should be begun."""
        return file.stat().st_size >= FULL_BYTES

    def now(self, mine: Path | None) -> float:
        """Now by the clock of the storage, to the second."""
        return time.time() + self._ahead

    def _fetch(self, name: str, status: os.stat_result) -> None:
        copy = self.folder / name
        size, _ = self._objects.get(name, (0, 0))
        if status.st_size > size:
            with copy.open("ab") as file:
                file.truncate(size)
                size += file.write((self._remote / name).read_from(size))
        os.utime(copy, ns=(status.st_mtime_ns, status.st_mtime_ns))
        self._objects[name] = size, status.st_mtime_ns
