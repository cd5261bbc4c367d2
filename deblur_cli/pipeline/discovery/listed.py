"""Objects as they were when their storage was listed, so that none is asked for on its own."""

from __future__ import annotations

from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.storage.remote import RemotePath

_LISTED: dict[str, tuple[int, int]] = {}


def remember(path: RemotePath, size: int, mtime_ns: int) -> None:
    """An object was seen."""
    _LISTED[str(path)] = size, mtime_ns


def listed(path: RemotePath) -> Fingerprint | None:
    """The version that was seen last, if it was seen."""
    seen = _LISTED.get(str(path))
    return None if seen is None else Fingerprint(*seen)
