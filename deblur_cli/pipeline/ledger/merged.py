"""What all processes of a ledger have recorded, as one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from deblur_cli.pipeline.ledger.journal import Page
from deblur_cli.pipeline.ledger.records import (
    Failure,
    Record,
    kind_and_key,
    parsed,
    time_of,
)

_TICK = 1e-3


class Merged:
    """The latest lines about every result, by the results' keys, and the pages they are from.

    Args:
        folder: where the processes have their files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pages: dict[Path, Page] = {}
        self._records: dict[bytes, bytes] = {}
        self._failures: dict[bytes, bytes] = {}
        self._latest = {Record.KIND: self._records, Failure.KIND: self._failures}

    def refresh(self, mine: Path | None) -> None:
        """Read what was added to all files but `mine`; raises `ImageWriteError`."""
        for path in sorted(self._folder.glob("*.jsonl")):
            page = self._pages.setdefault(path, Page(path))
            if path != mine and not page.has_ended:
                for kind, key, line in page.news():
                    self._remember(kind, key, line)

    def add(self, line: bytes) -> None:
        """Take in a line of this process."""
        self._remember(*kind_and_key(line), line)

    def record(self, key: bytes) -> Record | None:
        """The latest that was recorded of a result."""
        return parsed(Record, self._records.get(key))

    def failure(self, key: bytes) -> Failure | None:
        """Why a result could not be made, if that is the last that is known of it."""
        line = self._failures.get(key)
        record = None if line is None else self.record(key)
        if record is not None and record.result_size is not None and record.time > time_of(line):
            return None
        return parsed(Failure, line)

    def records(self) -> Iterator[tuple[bytes, Record]]:
        """All of them."""
        for key in self._records:
            record = self.record(key)
            if record is not None:
                yield key, record

    def failures(self) -> Iterator[tuple[bytes, Failure]]:
        """All of them."""
        for key in self._failures:
            failure = self.failure(key)
            if failure is not None:
                yield key, failure

    def in_hand(self) -> Iterator[Page]:
        """The pages of other processes that have, or had when they died, something in hand."""
        return (page for page in self._pages.values() if page.in_hand)

    def now(self, key: bytes) -> float:
        """Now, but later than anything recorded, however the clocks of the machines differ."""
        known = (self._records.get(key), self._failures.get(key))
        return max(time.time(), *(time_of(line) + _TICK for line in known))

    def _remember(self, kind: bytes, key: bytes, line: bytes) -> None:
        latest = self._latest.get(kind)
        if latest is not None:
            known = latest.get(key)
            if known is None or time_of(known) <= time_of(line):
                latest[key] = line
