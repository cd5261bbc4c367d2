from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deblur_cli.errors import MissingExtraError
from deblur_cli.pipeline.formats import ending, same_format, written_format
from tests.pipeline.fakes import save_picture


@pytest.mark.parametrize(
    ("name", "wanted", "suffix"),
    [
        ("a.JPG", None, ".JPG"),
        ("a.JPG", "JPEG", ".JPG"),
        ("a.jpeg", "PNG", ".png"),
        ("a.tif", "TIFF", ".tif"),
        ("a.gif", None, ".png"),
        ("a.gif", "JPEG", ".jpg"),
    ],
)
def test_ending_of_the_result(tmp_path: Path, name: str, wanted: str | None, suffix: str) -> None:
    assert ending(save_picture(tmp_path / name), wanted) == suffix


def test_endings_of_one_format() -> None:
    assert same_format(".jpg", ".JPEG")
    assert same_format(".tif", ".tiff")
    assert same_format("", "")
    assert not same_format(".jpg", ".png")
    assert not same_format(".jpg", "")


def test_format_whose_library_is_absent_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'deblur-cli\[heif\]'") as refused:
        written_format("heic", None)
    assert refused.value.exit_code == 2
    assert written_format("avif", None) == "AVIF"
