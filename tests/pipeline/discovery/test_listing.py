from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from deblur_cli.errors import UsageError
from deblur_cli.pipeline.discovery.listing import read_listing


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"a.jpg\nb c.jpg\n", ("a.jpg", "b c.jpg")),
        (b"a.jpg\r\n\r\nb.jpg", ("a.jpg", "b.jpg")),
        (b"\xef\xbb\xbfa.jpg\n", ("a.jpg",)),
        (b"a.jpg\0new\nline.jpg\0", ("a.jpg", "new\nline.jpg")),
        (b"only.jpg\0", ("only.jpg",)),
        (b"caf\xe9.jpg\n\xc3\xbc.jpg\n", ("caf\udce9.jpg", "ü.jpg")),
        (b"a\x0bb\xe2\x80\xa8c.jpg\n", ("a\x0bb\u2028c.jpg",)),
        (b"", ()),
    ],
)
def test_names_in_a_file_and_from_stdin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, names: tuple[str, ...]
) -> None:
    (tmp_path / "list").write_bytes(content)
    assert read_listing(str(tmp_path / "list")) == names
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert read_listing("-") == names


def test_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone: the list of inputs cannot be read"):
        read_listing(str(tmp_path / "gone"))
