from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deblur_cli.imaging.formats.signature import LENGTH, identify
from tests.shared import shared_file


@pytest.mark.parametrize(
    ("plugin", "name"),
    [
        ("JPEG", "JPEG"),
        ("PNG", "PNG"),
        ("WEBP", "WebP"),
        ("TIFF", "TIFF"),
        ("GIF", "GIF"),
        ("BMP", "BMP"),
        ("PPM", "Netpbm"),
        ("JPEG2000", "JPEG 2000"),
    ],
)
def test_files_made_by_pillow_are_known(plugin, name):
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(buffer, plugin)
    assert identify(buffer.getvalue()[:LENGTH]) == name


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("heif/pug.heic", "HEIF"),
        ("avif/exif.avif", "AVIF"),
        ("jxl/dice.jxl", "JPEG XL"),
        ("exr/comp_dwaa_v1.exr", "OpenEXR"),
        ("raw/colorchart.dng", "TIFF"),
        ("other/frozenpond.mpo", "JPEG"),
    ],
)
def test_real_files_are_known(file, name):
    assert identify(shared_file("odd", *file.split("/")).read_bytes()[:LENGTH]) == name


@given(st.text())
def test_text_is_no_image(text):
    assert identify(b"# " + text.encode()) is None
