from __future__ import annotations

import struct

import imagecodecs
import numpy as np
import PIL.Image
import pytest
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import Metadata, Photo, read_photo, write_photo
from deblur_cli.imaging.cicp import profile
from deblur_cli.imaging.formats.png import PngEncoding
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


def test_colours_told_by_code_points_go_into_other_formats(tmp_path):
    info = PngInfo()
    info.add(b"cICP", bytes([12, 13, 0, 1]))
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.png", pnginfo=info)
    photo = read_photo(tmp_path / "a.png")
    assert photo.metadata.icc == profile(12, 13)
    assert photo.encoding == PngEncoding(((b"cICP", bytes([12, 13, 0, 1])),))


def test_a_high_dynamic_range_is_refused(tmp_path):
    info = PngInfo()
    info.add(b"cICP", bytes([9, 16, 0, 1]))
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.png", pnginfo=info)
    with pytest.raises(ImageReadError, match=r"HDR \(PQ\) pictures are not supported"):
        read_photo(tmp_path / "a.png")


@pytest.mark.parametrize("keyword", ["Raw profile type exif", "Raw profile type APP1"])
@pytest.mark.parametrize("squeezed", [False, True])
def test_exif_in_a_text_is_applied_and_becomes_a_chunk(tmp_path, keyword, squeezed):
    exif = PIL.Image.Exif()
    exif[Base.Orientation], exif[Base.Artist] = 6, "someone"
    code = exif.tobytes().hex()
    lines = "\n".join(code[i : i + 72] for i in range(0, len(code), 72))
    info = PngInfo()
    info.add_text(keyword, f"\nexif\n{len(code) // 2:8}\n{lines}\n", zip=squeezed)
    info.add_text("Title", "A walk")
    result = rewritten(tmp_path, pnginfo=info)
    assert result.size == PIXELS.shape[:2]
    np.testing.assert_array_equal(np.asarray(result), np.rot90(PIXELS, -1))
    assert result.text == {"Title": "A walk"}
    assert dict(result.getexif()) == {Base.Orientation: 1, Base.Artist: "someone"}


def test_a_text_that_only_claims_to_be_exif_stays(tmp_path):
    info = PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n  3\nno hexadecimals\n")
    assert list(rewritten(tmp_path, pnginfo=info).text) == ["Raw profile type exif"]


def test_content_credentials_are_left_out_and_it_is_said(tmp_path):
    info = PngInfo()
    info.add(b"caBX", b"signed")
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.png", pnginfo=info)
    (note,) = read_photo(tmp_path / "a.png").notes
    assert "C2PA" in note
