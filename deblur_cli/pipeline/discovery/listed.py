"""Objects as they were when their storage was listed, so that none is asked for on its own."""

from __future__ import annotations

from deblur_cli.errors import ImageWriteError
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


def seen_anew(path: RemotePath) -> Fingerprint | None:
    """The version that is there now, which is the one seen last from then on.

    Raises:
        ImageWriteError: the storage does not say.
    """
    _LISTED.pop(str(path), None)
    try:
        status = path.stat() if path.is_object() else None
    except OSError as error:
        raise ImageWriteError(
            f"it cannot be told whether it exists: {error.strerror}",
            path=path,
            remedy="the same command resumes",
        ) from error
    if status is not None:
        remember(path, status.st_size, status.st_mtime_ns)
    return listed(path)
