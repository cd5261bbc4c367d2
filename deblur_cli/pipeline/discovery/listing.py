"""Inputs from a list, as `find` and other programs write them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deblur_cli.errors import UsageError

STANDARD_STREAM = "-"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_listing(source: str) -> tuple[str, ...]:
    """The inputs in a file, or in stdin for `-`, without empty ones.

    They are separated by NUL bytes if there is one, and else one on each line.

    Raises:
        UsageError: the file cannot be read.
    """
    content = _content(source).removeprefix(_BYTE_ORDER_MARK)
    if b"\0" in content:
        names = content.split(b"\0")
    else:
        names = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    return tuple(os.fsdecode(name) for name in names if name)


def _content(source: str) -> bytes:
    if source == STANDARD_STREAM:
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise UsageError(
            f"the list of inputs cannot be read: {error.strerror}",
            path=source,
            remedy="check --files-from",
        ) from error
