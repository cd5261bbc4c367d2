"""What stands at the place of a result, as its record and the files themselves tell."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from deblur_cli.pipeline.discovery.listed import listed, seen_anew
from deblur_cli.pipeline.ledger.records import Fingerprint, Record
from deblur_cli.pipeline.paths import is_regular_file, is_there
from deblur_cli.storage.remote import RemotePath


class Verdict(Enum):
    """What stands at the place of a result."""

    FREE = "nothing is there"
    DONE = "complete, from this input with these settings"
    IN_THE_WAY = "another file is there"


def judged(
    record: Record | None, source: Path, target: Path, settings: str, *, is_last: bool
) -> Verdict:
    """Whether `target` may be made, is made already, or is somebody else's.

    Args:
        record: the latest of `target`.
        source: the input.
        target: the place of the result.
        settings: the hash of what decides the result.
        is_last: on a storage, the target is looked at in any case, as it is about to be written;
            otherwise only if it was listed or a process has recorded it.

    Raises:
        ImageReadError: the source cannot be looked at.
        ImageWriteError: nor can the target, on a storage.
    """
    if isinstance(target, RemotePath):
        return _judged_object(record, source, target, settings, is_last)
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


def _judged_object(
    record: Record | None, source: Path, target: RemotePath, settings: str, is_last: bool
) -> Verdict:
    result, ours = listed(target), record if record and record.settings == settings else None
    if ours and result and ours.is_of(result) and ours.source_file == seen_source(source):
        return Verdict.DONE
    if is_last or record or result:
        result = seen_anew(target)
    if result is None:
        return Verdict.FREE
    is_done = ours and ours.is_of(result) and ours.source_file == Fingerprint.of(source)
    return Verdict.DONE if is_done else Verdict.IN_THE_WAY


def seen_source(source: Path) -> Fingerprint:
    """The version of an input, on a storage the one that was listed; raises `ImageReadError`."""
    known = listed(source) if isinstance(source, RemotePath) else None
    return known or Fingerprint.of(source)


def found_at(target: Path) -> Fingerprint | None:
    """The file in the place of a result, if there is one; on a storage, the one seen last."""
    if isinstance(target, RemotePath):
        return listed(target)
    return Fingerprint.of(target) if is_regular_file(target) else None


def is_complete(target: Path, record: Record) -> bool:
    """Whether the file at `target` is the result of a record; raises `ImageReadError`."""
    return record.is_of(Fingerprint.of(target))
