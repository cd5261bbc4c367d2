from __future__ import annotations

import importlib
import sys

import numpy as np
import PIL.Image
import pytest
import tifffile

from deblur_cli.errors import MissingExtraError
from deblur_cli.imaging import SUFFIXES, read_photo, target_suffix
from deblur_cli.imaging.formats.table import FORMATS
from deblur_cli.imaging.read import require_readable
from tests.shared import shared_file


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_reader_and_endings(name):
    known = FORMATS[name]
    assert callable(importlib.import_module(f"deblur_cli.imaging.formats.{known.module}").read)
    assert set(known.suffixes) <= SUFFIXES


@pytest.mark.parametrize(
    ("file", "suffix"),
    [
        ("raw/colorchart.dng", ".tif"),
        ("raw/RAW_KODAK_DC50.KDC", ".tif"),
        ("gif/iss634.gif", ".png"),
        ("jxl/dice.jxl", ".tif"),
        ("heif/pug.heic", ".heic"),
        ("tiff/16bit.cropped.tif", ".tif"),
        ("jpeg/cymk.jpg", ".jpg"),
        ("corrupt/truncated_jpeg.jpg", ".jpg"),
    ],
)
def test_the_ending_of_the_result_is_known_beforehand(file, suffix):
    assert target_suffix(shared_file("odd", *file.split("/"))) == suffix


def test_an_ending_stays_where_the_format_does(tmp_path):
    PIL.Image.new("RGB", (4, 3)).save(tmp_path / "photo.JPEG", "JPEG")
    (tmp_path / "words.gif").write_text("words")
    PIL.Image.new("P", (4, 3)).save(tmp_path / "named.png", "GIF")
    assert target_suffix(tmp_path / "photo.JPEG") == ".JPEG"
    assert target_suffix(tmp_path / "words.gif") == ".gif"
    assert target_suffix(tmp_path / "absent.gif") == ".gif"
    assert target_suffix(tmp_path / "named.png") == ".png"


@pytest.mark.parametrize(
    "tags", [[(50706, 1, 4, b"\1\4\0\0", True)], [(254, 4, 1, 1, True)], [(262, 3, 1, 32803, True)]]
)
def test_sensor_data_is_known_by_its_tags(tmp_path, tags):
    options = {"subfiletype": 1} if tags[0][0] == 254 else {}
    options |= {"photometric": "cfa"} if tags[0][0] == 262 else {}
    samples = np.zeros((8, 8), np.uint16)
    extra = tags if tags[0][0] == 50706 else []
    tifffile.imwrite(tmp_path / "a.tif", samples, extratags=extra, metadata=None, **options)
    assert target_suffix(tmp_path / "a.tif") == ".tif"
    (tmp_path / "a.tif").rename(tmp_path / "a.xyz")
    assert target_suffix(tmp_path / "a.xyz") == ".tif"


@pytest.mark.parametrize(
    ("module", "extra", "head"),
    [
        ("pillow_heif", "heif", b"\0\0\0\x18ftypheic"),
        ("pillow_jxl", "jxl", b"\xff\x0a"),
        ("rawpy", "raw", b"FUJIFILMCCD-RAW "),
    ],
)
def test_a_missing_library_is_named(tmp_path, monkeypatch, module, extra, head):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "a").write_bytes(head + bytes(40))
    for read in (read_photo, require_readable):
        with pytest.raises(MissingExtraError, match=rf"deblur-cli\[{extra}\]"):
            read(tmp_path / "a")
