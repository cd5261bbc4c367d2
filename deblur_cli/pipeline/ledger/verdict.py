"""What stands at the place of a result, as its record and the files themselves tell."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from deblur_cli.pipeline.discovery.listed import listed
from deblur_cli.pipeline.ledger.records import Fingerprint, Record
from deblur_cli.pipeline.paths import is_regular_file, is_there
from deblur_cli.storage.remote import RemotePath


class Verdict(Enum):
    """What stands at the place of a result."""

    FREE = "nothing is there"
    DONE = "complete, from this input with these settings"
    IN_THE_WAY = "another file is there"


def judged(record: Record | None, source: Path, target: Path, settings: str) -> Verdict:
    """Whether `target` may be made, is made already, or is somebody else's.

    Args:
        record: the latest of `target`.
        source: the input.
        target: the place of the result.
        settings: the hash of what decides the result.

    Raises:
        ImageReadError: the source cannot be looked at.
    """
    if record is not None and record.settings == settings and _was_done(source, target, record):
        return Verdict.DONE
    if not is_there(target):
        return Verdict.FREE
    if record is None or not is_regular_file(target):
        return Verdict.IN_THE_WAY
    same = record.settings == settings and record.source_file == Fingerprint.of(source)
    return Verdict.DONE if same and is_complete(target, record) else Verdict.IN_THE_WAY


def judged_in_place(record: Record | None, target: Path, settings: str) -> Verdict:
    """Whether a picture may be replaced by its result, was already, or has changed since then.

    Raises:
        ImageReadError: the picture cannot be looked at.
    """
    if record is None or record.replaces == Fingerprint.of(target):
        return Verdict.FREE
    is_done = record.settings == settings and is_complete(target, record)
    return Verdict.DONE if is_done else Verdict.IN_THE_WAY


def _was_done(source: Path, target: Path, record: Record) -> bool:
    """Whether a result on a storage was complete when the storage was listed last."""
    if not isinstance(target, RemotePath):
        return False
    result = listed(target)
    origin = listed(source) if isinstance(source, RemotePath) else Fingerprint.of(source)
    return result is not None and record.is_of(result) and record.source_file == origin


def is_complete(target: Path, record: Record) -> bool:
    """Whether the file at `target` is the result of a record; raises `ImageReadError`."""
    return record.is_of(Fingerprint.of(target))
