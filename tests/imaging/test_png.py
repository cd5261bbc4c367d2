from __future__ import annotations

import struct

import numpy as np
import PIL.Image
from PIL.PngImagePlugin import PngInfo

from deblur_cli.imaging import read_photo, write_photo
from tests.shared import shared_file

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)


def rewritten(tmp_path, **options) -> PIL.Image.Image:
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.png", **options)
    write_photo(tmp_path / "b.png", read_photo(tmp_path / "a.png"))
    image = PIL.Image.open(tmp_path / "b.png")
    image.load()
    return image


def test_text_is_kept_in_every_form(tmp_path):
    info = PngInfo()
    info.add_text("Title", "plain")
    info.add_text("Long", "squeezed " * 99, zip=True)
    info.add_itxt("Author", "Žofie", lang="cs", tkey="Autor")
    text = rewritten(tmp_path, pnginfo=info).text
    assert text == {"Title": "plain", "Long": "squeezed " * 99, "Author": "Žofie"}
    assert text["Author"].lang == "cs"


def test_colour_space_chunks_are_kept(tmp_path):
    info = PngInfo()
    info.add(b"gAMA", struct.pack(">I", 45455))
    info.add(b"cHRM", struct.pack(">8I", *range(31270, 31278)))
    result = rewritten(tmp_path, pnginfo=info, dpi=(300, 150)).info
    assert result["gamma"] == 0.45455
    assert result["chromaticity"][0] == 0.3127
    assert np.allclose(result["dpi"], (300, 150), atol=0.02)


def test_xmp_is_kept_once(tmp_path):
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>", zip=True)
    result = rewritten(tmp_path, pnginfo=info)
    assert result.info["xmp"] == b"<x:xmpmeta/>"
    assert (tmp_path / "b.png").read_bytes().count(b"XML:com.adobe.xmp") == 1


def test_a_real_file_keeps_its_text(tmp_path):
    source = shared_file("odd", "png", "exif.png")
    write_photo(tmp_path / "b.png", read_photo(source))
    before, after = PIL.Image.open(source), PIL.Image.open(tmp_path / "b.png")
    before.load(), after.load()
    assert after.info == before.info
