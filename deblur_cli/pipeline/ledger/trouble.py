"""What the user is told when a ledger cannot be read or written."""

from __future__ import annotations

import errno
from pathlib import Path

from deblur_cli.errors import ImageWriteError
from deblur_cli.storage.remote import RemotePath

_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_LATER = "the same command goes on when the storage can be reached"
_ALLOW = (
    "give credentials that may list, get and put objects there, or choose another folder with -o"
)


def unreadable(ledger: Path, error: OSError) -> ImageWriteError:
    """The error of a ledger on a storage that cannot be read."""
    remedy = _ALLOW if error.errno in _FORBIDDEN else _LATER
    return ImageWriteError(
        f"the ledger cannot be read: {error.strerror}", path=ledger, remedy=remedy
    )


def unwritable(ledger: Path, error: OSError, target: Path | None = None) -> ImageWriteError:
    """The error of a ledger that cannot be written, and so cannot record a result, if one is named.

    Without it nothing is restored.
    """
    is_forbidden = error.errno in _FORBIDDEN
    if isinstance(ledger, RemotePath):
        remedy = _ALLOW if is_forbidden else _LATER
    else:
        first = "make it writable" if is_forbidden else "free some space"
        remedy = f"{first} or choose another folder with -o"
    problem = f"the ledger cannot be written: {error.strerror}"
    return ImageWriteError(problem, path=target or ledger, remedy=remedy)


def says_forbidden(error: ImageWriteError) -> bool:
    """Whether a ledger may not be written, and so no result either."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _FORBIDDEN
