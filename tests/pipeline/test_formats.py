from __future__ import annotations

from pathlib import Path

import pytest

from deblur_cli.pipeline.formats import ending, same_format
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
