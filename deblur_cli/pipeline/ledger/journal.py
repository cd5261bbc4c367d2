"""The files of a ledger: one that this process appends to, and those of others as they grow."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from deblur_cli.errors import ImageWriteError
from deblur_cli.pipeline.ledger.desk import Desk
from deblur_cli.pipeline.ledger.processes import HEARTBEAT_SECONDS, Process
from deblur_cli.pipeline.ledger.records import (
    Claim,
    Failure,
    Record,
    Release,
    ends_claim,
    kind_and_key,
)

_ENDS = (Record.KIND, Failure.KIND, Release.KIND)
_ENDED = b'{"ended": '


class Journal:
    """This process's own file. It is touched regularly, as a sign of life for other machines.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, desk: Desk) -> None:
        desk.folder.mkdir(parents=True, exist_ok=True)
        process = Process.this()
        self._desk = desk
        self._pushing = threading.Lock()
        self.path = desk.folder / f"{process.host}-{process.pid}-{uuid.uuid4().hex[:8]}.jsonl"
        self._file = self.path.open("xb", buffering=0)
        self._is_torn = False
        try:
            self.append(process.to_line())
        except OSError:
            self._file.close()
            self.path.unlink(missing_ok=True)
            raise
        self._closing = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="deblur-ledger", daemon=True)
        self._beating.start()

    def append(self, line: bytes) -> None:
        """Put a line on the disk; raises `OSError`, and then the next line stands for itself."""
        rest = b"\n" * self._is_torn + line + b"\n"
        self._is_torn = True
        while rest:
            rest = rest[self._file.write(rest) or 0 :]
        os.fsync(self._file.fileno())
        self._is_torn = False
        self._push()

    def close(self) -> None:
        """Say, if the disk allows it, that nothing will follow."""
        self._closing.set()
        self._beating.join()
        with suppress(OSError):
            self.append(_ENDED + f"{time.time()}}}".encode())
        self._file.close()

    def _beat(self) -> None:
        while not self._closing.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):
                os.utime(self.path)
                self._push()

    def _push(self) -> None:
        with self._pushing:
            self._desk.push(self.path)


class Page:
    """The file of one process, as far as it was read.

    Attributes:
        process: who writes it, if it says so.
        in_hand: by their keys, the lines of what the process has begun or claimed and not ended.
        has_ended: whether the process said that nothing will follow.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.process: Process | None = None
        self.in_hand: dict[bytes, bytes] = {}
        self.has_ended = False
        self._bytes_read = 0

    def news(self) -> Iterator[tuple[bytes, bytes, bytes]]:
        """Kind, key and text of every line that was completed since; raises `ImageWriteError`."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._bytes_read)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._bytes_read += len(line)
                    yield self._noted(line[:-1])
        except OSError as error:
            raise ImageWriteError(
                f"the ledger cannot be read: {error.strerror}",
                path=self.path,
                remedy="make it readable, or choose another folder with -o",
            ) from error

    def is_at_work(self, now: float) -> bool:
        """Whether the process still runs, as far as can be told at `now` of the drive's clock."""
        if self.has_ended or self.process is None:
            return False
        with suppress(OSError):
            return self.process.runs(now - self.path.stat().st_mtime)
        return False

    def _noted(self, line: bytes) -> tuple[bytes, bytes, bytes]:
        kind, key = kind_and_key(line)
        if kind == Claim.KIND or (kind == Record.KIND and not ends_claim(line)):
            self.in_hand.setdefault(key, line)
        elif kind in _ENDS:
            self.in_hand.pop(key, None)
        elif line.startswith(_ENDED):
            self.has_ended = True
            self.in_hand.clear()
        elif self.process is None:
            self.process = Process.from_line(line)
        return kind, key, line
