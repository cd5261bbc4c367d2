from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from PIL.ExifTags import Base

from deblur_cli.imaging.formats.exr import ExrEncoding
from deblur_cli.imaging.formats.jpeg import JpegEncoding
from deblur_cli.imaging.formats.png import PngEncoding
from deblur_cli.imaging.formats.tiff import TiffEncoding
from deblur_cli.imaging.formats.webp import WebpEncoding
from deblur_cli.imaging.photo import Metadata, Photo
from deblur_cli.imaging.provenance import signed, stripped
from deblur_cli.imaging.read import read_photo
from deblur_cli.imaging.write import encode_photo, write_photo
from tests.imaging.profiles import profile
from tests.imaging.test_exif import make_block

NAME = "deblur 1.0 (model)"
SECRET = b"somebody's secret"
PIXELS = np.zeros((8, 12, 3), np.uint8)
TEXTS = ((b"gAMA", b"\0\0\xb1\x8f"), (b"tEXt", b"Software\0GIMP"), (b"tEXt", b"Comment\0" + SECRET))
TALKATIVE = {
    "jpg": JpegEncoding(comment=SECRET, segments=((0xED, b"Photoshop 3.0\0" + SECRET),)),
    "png": PngEncoding(TEXTS),
    "tif": TiffEncoding(),
    "webp": WebpEncoding(),
}


def make_photo(encoding, **metadata):
    xmp = b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"
    block = make_block(orientation=1).replace(b"note with inner o", SECRET)
    return Photo(PIXELS, encoding, metadata=Metadata(block, xmp=xmp, **metadata))


@pytest.mark.parametrize("suffix", TALKATIVE)
def test_programs_find_the_name_in_the_file(suffix):
    content = encode_photo(signed(make_photo(TALKATIVE[suffix]), NAME))
    with PIL.Image.open(io.BytesIO(content)) as image:
        assert image.getexif()[Base.Software] == NAME
        assert image.info.get("Software") in (None, f"{NAME}; GIMP")


@pytest.mark.parametrize("suffix", TALKATIVE)
def test_a_stripped_file_says_nothing_but_colours_and_size(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    icc = profile("Display P3")
    photo = make_photo(TALKATIVE[suffix], icc=icc, dpi=(300.0, 300.0))
    assert SECRET in encode_photo(photo)
    write_photo(path, stripped(photo))
    assert SECRET not in path.read_bytes()
    assert b"Maker of cameras" not in path.read_bytes()
    read = read_photo(path)
    assert read.metadata.icc == icc
    assert read.metadata.xmp is None
    assert read.encoding.format == photo.encoding.format


def test_a_stripped_png_keeps_its_colour_chunks():
    encoding = stripped(make_photo(TALKATIVE["png"])).encoding
    assert encoding == PngEncoding(TEXTS[:1])


def test_openexr_carries_the_name_in_its_header(tmp_path):
    path = tmp_path / "a.exr"
    photo = replace(make_photo(ExrEncoding()), pixels=PIXELS.astype(np.float32))
    write_photo(path, photo)
    first = signed(read_photo(path), NAME)
    write_photo(path, signed(first, "deblur 2.0"))
    again = read_photo(path)
    assert again.encoding.attributes["Software"] == f"deblur 2.0; {NAME}"
    write_photo(path, stripped(again))
    assert NAME.encode() not in path.read_bytes()
    assert read_photo(path).pixels.shape == PIXELS.shape
