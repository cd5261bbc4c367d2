from __future__ import annotations

import PIL.Image
import pytest
from PIL.ExifTags import IFD, Base

from deblur_cli.imaging.icc import adobe_rgb
from deblur_cli.imaging.metadata import joined, signed_metadata, upright_metadata
from deblur_cli.imaging.photo import Metadata
from tests.imaging.test_exif import THUMBNAIL, make_block, read


def block_of(**tags):
    exif = PIL.Image.Exif()
    for name, value in tags.items():
        exif[getattr(Base, name)] = value
    return exif.tobytes().removeprefix(b"Exif\0\0")


def adobe_block():
    exif = PIL.Image.Exif()
    exif[IFD.Exif] = {Base.ColorSpace: 0xFFFF, IFD.Interop: {1: "R03"}}
    return exif.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_that_tells_the_orientation_is_made_true(orientation):
    xmp = b'<x tiff:Orientation="%d" exif:PixelXDimension="400"/>' % orientation
    stored = Metadata(make_block(orientation=orientation), None, xmp, (300.0, 200.0))
    upright, found = upright_metadata(stored, (400, 300))
    is_sideways = orientation >= 5
    assert found == orientation
    assert read(upright.exif)[Base.Orientation] == 1
    width = read(upright.exif).get_ifd(IFD.Exif)[Base.ExifImageWidth]
    assert width == (300 if is_sideways else 400)
    assert upright.xmp == b'<x tiff:Orientation="1" exif:PixelXDimension="%d"/>' % width
    assert upright.dpi == ((200.0, 300.0) if is_sideways else (300.0, 200.0))


def test_previews_are_left_out():
    xmp = b"<a><xmp:Thumbnails>old</xmp:Thumbnails></a>"
    upright, _ = upright_metadata(Metadata(make_block(thumbnail=THUMBNAIL), xmp=xmp), (4, 3))
    assert THUMBNAIL not in upright.exif
    assert upright.xmp == b"<a></a>"


def test_a_camera_that_says_adobe_rgb_by_exif_alone_gets_the_profile():
    upright, _ = upright_metadata(Metadata(exif=adobe_block()), (4, 3))
    assert upright.icc == adobe_rgb()
    kept, _ = upright_metadata(Metadata(exif=adobe_block(), icc=b"its own"), (4, 3))
    assert kept.icc == b"its own"
    assert upright_metadata(Metadata(exif=make_block()), (4, 3))[0].icc is None


@pytest.mark.parametrize("dpi", [(0.0, 72.0), (72.0, 1e9), None])
def test_an_impossible_resolution_is_left_out(dpi):
    assert upright_metadata(Metadata(dpi=dpi), (4, 3))[0].dpi is None


def test_a_damaged_block_stays_as_it_is():
    damaged = Metadata(exif=b"Exif no more")
    assert upright_metadata(damaged, (4, 3)) == (damaged, 1)
    assert signed_metadata(damaged, "deblur 1.0") == damaged


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "deblur 1.0 (model)"),
        (make_block(), "deblur 1.0 (model)"),
        (block_of(Software="Ver.1.00 "), "deblur 1.0 (model); Ver.1.00"),
        (block_of(Software="A; deblur 1.0 (model)"), "deblur 1.0 (model); A"),
    ],
)
def test_the_program_is_named_before_those_of_old(before, after):
    signed = signed_metadata(Metadata(exif=before), "deblur 1.0 (model)")
    assert read(signed.exif)[Base.Software] == after
    assert signed_metadata(signed, "deblur 1.0 (model)") == signed


def test_names_are_joined_once():
    assert joined("b", "") == "b"
    assert joined("b", "a; b; c") == "b; a; c"
