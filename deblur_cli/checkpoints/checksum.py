"""The checksum of a file, read as a stream."""

from __future__ import annotations

import hashlib
from pathlib import Path

from deblur_cli.errors import WeightsError


def file_sha256(path: Path) -> str:
    """SHA-256 of a file as 64 lower-case hexadecimal digits.

    Raises:
        WeightsError: no such file, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(
            f"cannot be read as weights: {error.strerror}",
            path=path,
            remedy="check the path and its permissions",
        ) from error
