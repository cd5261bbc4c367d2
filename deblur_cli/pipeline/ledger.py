"""The ledger of an output folder: what was made there, from which input, with which settings.

It lies in `<output folder>/.deblur/`, one file of JSON lines per process, so that processes never
share a file and need no lock. Each result has two lines: `begun`, on the disk before the file
appears, and `done`. Wherever a process dies, the next one can tell a complete result of the same
settings from a file that somebody else put there; a torn last line is ignored.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, TextIO

from deblur_cli.errors import ImageReadError, ImageWriteError
from deblur_cli.pipeline.paths import is_regular_file, place

LEDGER_FOLDER = ".deblur"


@dataclass(frozen=True)
class Fingerprint:
    """What tells one version of a file from another without reading it: bytes and nanoseconds."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Fingerprint:
        """Fingerprint of a file; raises `ImageReadError` where there is none."""
        try:
            status = path.stat()
        except OSError as error:
            raise ImageReadError(f"cannot be read: {error.strerror}", path=path) from error
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Record:
    """One line: a result that was begun, and its size in bytes once it was done.

    `target` is relative to the output folder, `source` likewise where that is possible.
    `replaces` is the file that lay there before, so that it is never mistaken for the result.
    """

    target: str
    source: str
    source_file: Fingerprint
    settings: str
    replaces: Fingerprint | None
    result_size: int | None
    time: float

    def to_line(self) -> str:
        """The record as one line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Record | None:
        """The record in one line, or None when the line is torn."""
        try:
            fields: dict[str, Any] = json.loads(line)
            fields["source_file"] = Fingerprint(**fields["source_file"])
            if fields["replaces"] is not None:
                fields["replaces"] = Fingerprint(**fields["replaces"])
            return cls(**fields)
        except (ValueError, TypeError, KeyError):
            return None


class Verdict(Enum):
    """What stands at the place of a result."""

    FREE = "nothing is there"
    DONE = "complete, from this input with these settings"
    IN_THE_WAY = "another file is there"


def settings_hash(settings: Mapping[str, object]) -> str:
    """SHA-256 of everything that decides the pixels of a result."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def results_in(folder: Path) -> dict[Path, Path]:
    """Places of the results recorded in an output folder, each with that of its input."""
    return {
        place(folder / record.target): place(folder / record.source)
        for file in _files_in(folder)
        for record in _read_records(file)
    }


class Ledger:
    """The ledger of one output folder, for all threads of one process.

    Nothing is written before `begin`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: TextIO | None = None
        self._latest: dict[str, Record] = {}
        self._sizes_read: dict[Path, int] = {}
        self._lock = threading.Lock()
        self.refresh()

    def refresh(self) -> None:
        """Take in what other processes have recorded meanwhile."""
        with self._lock:
            for file in _files_in(self.folder):
                size = file.stat().st_size
                if self._sizes_read.get(file) != size:
                    for record in _read_records(file):
                        self._remember(record)
                    self._sizes_read[file] = size

    def verdict(self, source: Path, target: Path, settings: str) -> Verdict:
        """Whether `target` may be made, is made already, or is somebody else's.

        Raises `ImageReadError` when the source cannot be looked at.
        """
        if not os.path.lexists(target):
            return Verdict.FREE
        record = self._latest.get(self._name(target))
        if record is None or not is_regular_file(target):
            return Verdict.IN_THE_WAY
        same = record.settings == settings and record.source_file == Fingerprint.of(source)
        return Verdict.DONE if same and _is_complete(target, record) else Verdict.IN_THE_WAY

    def begin(self, source: Path, source_file: Fingerprint, target: Path, settings: str) -> Record:
        """Record that `target` is about to appear; raises `ImageWriteError`."""
        record = Record(
            target=self._name(target),
            source=_relative(source, self.folder),
            source_file=source_file,
            settings=settings,
            replaces=Fingerprint.of(target) if is_regular_file(target) else None,
            result_size=None,
            time=time.time(),
        )
        self._append(record)
        return record

    def finish(self, begun: Record, target: Path) -> None:
        """Record that `target` is complete; raises `ImageWriteError`."""
        result_size = target.stat().st_size
        self._append(replace(begun, result_size=result_size, time=time.time()))

    def abandon(self, begun: Record) -> None:
        """Record, if the disk allows it, that the result will not appear after all."""
        with suppress(ImageWriteError):
            self._append(replace(begun, settings="", time=time.time()))

    def close(self) -> None:
        """Close this process's file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _name(self, target: Path) -> str:
        return _relative(target, self.folder)

    def _remember(self, record: Record) -> None:
        known = self._latest.get(record.target)
        if known is None or known.time <= record.time:
            self._latest[record.target] = record

    def _append(self, record: Record) -> None:
        with self._lock:
            self._write(record)
            self._remember(record)

    def _write(self, record: Record) -> None:
        try:
            if self._file is None:
                self._file = _new_file(self.folder)
            self._file.write(record.to_line())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ImageWriteError(
                f"the ledger cannot be written: {error.strerror}",
                path=self.folder / LEDGER_FOLDER,
                remedy="free some space or choose another folder with -o",
            ) from error


def _new_file(folder: Path) -> TextIO:
    ledger_folder = folder / LEDGER_FOLDER
    ledger_folder.mkdir(parents=True, exist_ok=True)
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
    return (ledger_folder / name).open("x", encoding="utf-8")


def _files_in(folder: Path) -> list[Path]:
    return sorted((folder / LEDGER_FOLDER).glob("*.jsonl"))


def _read_records(file: Path) -> Iterator[Record]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ImageWriteError(
            f"the ledger cannot be read: {error.strerror}",
            path=file,
            remedy="make it readable, or choose another folder with -o",
        ) from error
    for line in text.splitlines():
        record = Record.from_line(line)
        if record is not None:
            yield record


def _is_complete(target: Path, record: Record) -> bool:
    found = Fingerprint.of(target)
    if record.result_size is None:
        return found != record.replaces
    return found.size == record.result_size


def _relative(path: Path, base: Path) -> str:
    try:
        return Path(os.path.relpath(place(path), base.resolve())).as_posix()
    except ValueError:  # another drive on Windows
        return place(path).as_posix()
