"""The ledger of an output folder: what was made there, from which input, with which settings.

It lies in `<output folder>/.deblur/`, one file of JSON lines per process, so that processes never
share a file and need no lock. Each result has three lines: `claimed`, by which other processes know
that it is in hand; a record that it was begun, on the disk before the file appears; and one that it
is done. A picture that fails has one that says why. Wherever a process dies, the next one can tell
a complete result of the same settings from a file that somebody else put there; a torn line is
ignored.

Of two processes that claim the same result, each sees the other's claim or at least one of them
does, and who sees one withdraws; the claims of the dead count for nothing. A drive that shows what
others have written only later can make two processes restore one picture, which is no harm: both
results are the same, and each appears under its name at once.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from deblur_cli.errors import ImageWriteError
from deblur_cli.imaging.atomic import sweep, workplace
from deblur_cli.pipeline.ledger.desk import desk
from deblur_cli.pipeline.ledger.journal import Journal, Page
from deblur_cli.pipeline.ledger.merged import Merged
from deblur_cli.pipeline.ledger.processes import Process
from deblur_cli.pipeline.ledger.records import (
    Claim,
    Entry,
    Failure,
    Fingerprint,
    Record,
    Release,
    key_of,
    line_of,
    name_of,
    parsed,
    time_of,
)
from deblur_cli.pipeline.ledger.trouble import says_forbidden, unreadable, unwritable
from deblur_cli.pipeline.ledger.verdict import Verdict, found_at, judged, judged_in_place
from deblur_cli.pipeline.paths import (
    LEDGER_FOLDER,
    named_from,
    place,
    real_folder,
)
from deblur_cli.storage.remote import located


@dataclass(frozen=True)
class InHand:
    """A result that a process has claimed or begun and not ended; whether that one still runs.

    `name` is the result's in the ledger.
    """

    name: str
    target: Path
    process: Process | None
    is_at_work: bool
    time: float


def settings_hash(settings: Mapping[str, object]) -> str:
    """SHA-256 of everything that decides the pixels of a result."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


class Ledger:
    """The ledger of one output folder, for all threads of one process.

    Nothing is written before `claim` or `begin`. Raises `ImageWriteError` when what others wrote
    cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._base = real_folder(folder)
        self._desk = desk(folder / LEDGER_FOLDER)
        self._prefixes: dict[Path, str] = {}
        self._journal: Journal | None = None
        self._known = Merged(self._desk.folder)
        self._claimed: dict[bytes, Claim] = {}
        self._lock = threading.RLock()
        self.refresh()

    def refresh(self) -> None:
        """Take in what other processes have recorded meanwhile."""
        with self._lock:
            mine = None if self._journal is None else self._journal.path
            try:
                self._desk.pull(mine)
            except OSError as error:
                raise unreadable(self.folder / LEDGER_FOLDER, error) from error
            self._known.refresh(mine)

    def record(self, target: Path) -> Record | None:
        """The latest that was recorded of a result."""
        return self._known.record(self._key(target))

    def has_failed(self, target: Path) -> bool:
        """Whether the last that is known of a result is that it could not be made."""
        return self._known.failure(self._key(target)) is not None

    def source_of(self, target: Path) -> Path | None:
        """The place of the input that a result was made from, if the ledger knows it."""
        record = self.record(target)
        return None if record is None else place(self._place(record.source))

    def verdict(
        self, source: Path, target: Path, settings: str, *, is_last: bool = True
    ) -> Verdict:
        """Whether `target` may be made, is made already, or is somebody else's; as `judged`."""
        return judged(self.record(target), source, target, settings, is_last=is_last)

    def verdict_in_place(self, target: Path, settings: str) -> Verdict:
        """Whether a picture may be replaced by its result, was already, or has changed since then.

        Raises `ImageReadError` when the picture cannot be looked at.
        """
        return judged_in_place(self.record(target), target, settings)

    def claim(self, target: Path, beside: Iterable[Path] = ()) -> bool:
        """Whether no other process has a result in hand; from now on this one has.

        A claim that the disk has no space for is none, and shows when the result is written.
        `beside` are other files that come with the result.

        Raises:
            ImageWriteError: the ledger may not be written.
        """
        key = self._key(target)
        if self._is_in_company():
            self.refresh()
        if self._has_rival(key):
            return False
        claim = Claim(name_of(key), [self._name(path) for path in beside], self._known.now(key))
        try:
            self._append(claim)
            self._claimed[key] = claim
        except ImageWriteError as error:
            if says_forbidden(error):
                raise
        self.refresh()
        if self._has_rival(key):
            self.release(target)
            return False
        return True

    def release(self, target: Path) -> None:
        """Have a result in hand no more, if nothing was recorded that says so."""
        key = self._key(target)
        if self._claimed.pop(key, None) is not None:
            with suppress(ImageWriteError):
                self._append(Release(name_of(key), self._known.now(key)))

    def begin(self, source: Path, source_file: Fingerprint, target: Path, settings: str) -> Record:
        """Record that `target` is about to appear; raises `ImageWriteError`.

        On a storage it replaces what the last verdict saw there.
        """
        record = Record(
            target=self._name(target),
            source=self._name(source),
            source_file=source_file,
            settings=settings,
            replaces=found_at(target),
            result_size=None,
            time=self._known.now(self._key(target)),
        )
        self._append(record)
        return record

    def finish(self, begun: Record, target: Path) -> None:
        """Record that `target` is complete; raises `ImageWriteError`."""
        self._end(replace(begun, result_size=target.stat().st_size))

    def abandon(self, begun: Record) -> None:
        """Record, if the disk allows it, that the result will not appear after all."""
        with suppress(ImageWriteError):
            self._end(replace(begun, settings=""))

    def fail(self, source: Path, target: Path, code: str, message: str) -> None:
        """Record, if the disk allows it, why a result could not be made."""
        key = self._key(target)
        failure = Failure(name_of(key), self._name(source), code, message, self._known.now(key))
        with suppress(ImageWriteError):
            self._append(failure)
            self._claimed.pop(key, None)

    def records(self) -> Iterator[tuple[str, Record]]:
        """The latest that was recorded of every result, by their names."""
        return ((name_of(key), record) for key, record in self._known.records())

    def failures(self) -> Iterator[tuple[Path, Failure]]:
        """The results that could not be made, where that is the last that is known of them."""
        return ((self._target(key), failure) for key, failure in self._known.failures())

    def in_hand(self) -> Iterator[InHand]:
        """What other processes have in hand, or had when they died."""
        now = self._drive_time()
        for page in self._known.in_hand():
            works = page.is_at_work(now)
            for key, line in page.in_hand.items():
                yield InHand(name_of(key), self._target(key), page.process, works, time_of(line))

    def sweep(self) -> None:
        """Remove what processes that died left half-written."""
        now, litter = self._drive_time(), dict[Path, set[str]]()
        for page in self._known.in_hand():
            if page.process is not None and not page.is_at_work(now):
                for key, line in page.in_hand.items():
                    claim = parsed(Claim, line)
                    beside = map(self._place, claim.beside if claim is not None else ())
                    for path in (self._target(key), *beside):
                        litter.setdefault(workplace(path), set()).add(page.process.owner)
        for folder, owners in litter.items():
            sweep(folder, owners)

    def close(self) -> None:
        """Close this process's file; what it still has in hand is free for others."""
        with self._lock:
            if self._journal is not None:
                self._journal.close()
                self._journal = None
            self._claimed.clear()

    def _name(self, path: Path) -> str:
        """A file's name in the ledger: its path relative to the output folder, where it has one."""
        prefix = self._prefixes.get(path.parent)
        if prefix is None:
            prefix = named_from(real_folder(path.parent), self._base)
            self._prefixes[path.parent] = prefix
        return prefix + path.name

    def _key(self, target: Path) -> bytes:
        return key_of(self._name(target))

    def _place(self, name: str) -> Path:
        return located(name) if "://" in name or name.startswith("/") else self.folder / name

    def _target(self, key: bytes) -> Path:
        return self._place(name_of(key))

    def _has_rival(self, key: bytes) -> bool:
        return any(key in page.in_hand for page in self._at_work())

    def _is_in_company(self) -> bool:
        """Whether, when looked last, another process had anything in hand."""
        return bool(self._at_work())

    def _at_work(self) -> list[Page]:
        with self._lock:
            now = self._drive_time()
            return [page for page in self._known.in_hand() if page.is_at_work(now)]

    def _drive_time(self) -> float:
        """Now by the clock of the drive, as far as this process has a file there to tell it by."""
        return self._desk.now(None if self._journal is None else self._journal.path)

    def _turn_over(self, full: Journal) -> None:
        """Go on in another file, which has what is still in hand from its beginning."""
        self._journal = Journal(self._desk)
        for claim in tuple(self._claimed.values()):
            self._journal.append(line_of(claim))
        full.close()

    def _end(self, record: Record) -> None:
        key = key_of(record.target)
        self._append(replace(record, time=self._known.now(key)))
        self._claimed.pop(key, None)

    def _append(self, entry: Entry) -> None:
        line = line_of(entry)
        with self._lock:
            try:
                if self._journal is None:
                    self._journal = Journal(self._desk)
                elif self._desk.is_full(self._journal.path):
                    self._turn_over(self._journal)
                self._journal.append(line)
            except OSError as error:
                target = self.folder / entry.target if isinstance(entry, Record) else None
                raise unwritable(self.folder / LEDGER_FOLDER, error, target) from error
            self._known.add(line)
