from __future__ import annotations

import struct

import imagecodecs
import numpy as np
import PIL.Image
import pytest
from PIL.PngImagePlugin import PngInfo

from deblur_cli.imaging import Metadata, Photo, read_photo, write_photo
from deblur_cli.imaging.png import PngEncoding
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


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_come_back(tmp_path, channels):
    samples = np.random.default_rng(1).integers(0, 65536, (6, 5, channels), np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.squeeze(samples)))
    photo = read_photo(tmp_path / "a.png")
    assert photo.pixels.dtype == np.uint16
    write_photo(tmp_path / "b.png", photo)
    result = imagecodecs.png_decode((tmp_path / "b.png").read_bytes())
    np.testing.assert_array_equal(np.atleast_3d(result), samples)


def test_dark_pictures_of_16_bits_stay_dark(tmp_path):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.full((4, 5, 3), 200, np.uint16)))
    assert read_photo(tmp_path / "a.png").pixels.max() == 200


def test_cv2_reads_the_same_of_16_bits(tmp_path):
    cv2 = pytest.importorskip("cv2")
    samples = np.random.default_rng(1).integers(0, 65536, (6, 5, 3), np.uint16)
    write_photo(tmp_path / "a.png", Photo(samples, PngEncoding()))
    read = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read[..., ::-1], samples)


def test_a_damaged_profile_prints_nothing(tmp_path, capfd):
    photo = Photo(PIXELS, PngEncoding(), metadata=Metadata(icc=b"no profile"))
    write_photo(tmp_path / "a.png", photo)
    assert read_photo(tmp_path / "a.png").metadata.icc == b"no profile"
    assert capfd.readouterr().err == ""


def test_a_profile_that_fills_the_memory_is_left_out(tmp_path):
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.png", icc_profile=bytes(1 << 25))
    assert read_photo(tmp_path / "a.png").metadata.icc is None
