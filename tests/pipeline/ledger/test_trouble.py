from __future__ import annotations

import errno
from pathlib import Path

import pytest

from deblur_cli.pipeline.ledger.trouble import says_forbidden, unreadable, unwritable
from deblur_cli.storage.remote import located


@pytest.mark.parametrize(
    ("ledger", "number", "remedy"),
    [
        ("memory://bucket/out/.deblur", errno.EACCES, "give credentials"),
        ("memory://bucket/out/.deblur", errno.EIO, "the same command goes on"),
        ("out/.deblur", errno.EROFS, "make it writable"),
        ("out/.deblur", errno.ENOSPC, "free some space"),
    ],
)
def test_the_remedy_is_for_the_place_and_the_trouble(ledger: str, number: int, remedy: str) -> None:
    trouble = OSError(number, "this is the trouble")
    error = unwritable(located(ledger), trouble)
    error.__cause__ = trouble
    assert str(error).startswith(f"{ledger}: the ledger cannot be written: this is the trouble (")
    assert remedy in error.remedy
    assert says_forbidden(error) is (number in (errno.EACCES, errno.EROFS))
    assert unwritable(located(ledger), trouble, Path("out/a.jpg")).path == Path("out/a.jpg")


def test_what_cannot_be_read() -> None:
    ledger = located("memory://bucket/out/.deblur")
    for number, remedy in ((errno.EACCES, "give credentials"), (errno.EIO, "goes on")):
        error = unreadable(ledger, OSError(number, "this is the trouble"))
        assert "the ledger cannot be read: this is the trouble" in str(error)
        assert remedy in error.remedy
