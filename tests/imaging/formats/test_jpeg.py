from __future__ import annotations

import io

import imagecodecs
import numpy as np
import PIL.Image
import pytest
from skimage import data as photographs

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import read_photo, write_photo
from tests.shared import shared_file

PIXELS = photographs.astronaut()[100:164, 150:230]
SAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}
IPTC_SEGMENT = b"\xff\xed\x00\x1bPhotoshop 3.0\x008BIM\x04\x04iptc!"


def jpeg(**options) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def rewritten(tmp_path, content: bytes) -> PIL.Image.Image:
    (tmp_path / "a.jpg").write_bytes(content)
    write_photo(tmp_path / "b.jpg", read_photo(tmp_path / "a.jpg"))
    return PIL.Image.open(tmp_path / "b.jpg")


@pytest.mark.parametrize("quality", [5, 40, 75, 90, 98, 100])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_compression_is_the_sources(tmp_path, quality, sampling):
    source = jpeg(quality=quality, subsampling=sampling, progressive=quality == 90)
    result = rewritten(tmp_path, source)
    assert result.quantization == PIL.Image.open(io.BytesIO(source)).quantization
    assert read_photo(tmp_path / "b.jpg").encoding.subsampling == SAMPLINGS[sampling]
    assert bool(result.info.get("progressive")) == (quality == 90)
    assert (tmp_path / "b.jpg").stat().st_size == pytest.approx(len(source), rel=0.1)


def test_a_table_for_each_component_is_kept(tmp_path):
    tables = [[step] * 64 for step in (3, 5, 7)]
    assert rewritten(tmp_path, jpeg(qtables=tables)).quantization == dict(enumerate(tables))


def test_comment_and_iptc_are_kept(tmp_path):
    result = rewritten(tmp_path, jpeg(comment=b"by hand", extra=IPTC_SEGMENT))
    assert result.info["comment"] == b"by hand"
    assert ("APP13", IPTC_SEGMENT[4:]) in result.applist


def test_extended_xmp_is_kept(tmp_path):
    content = b"http://ns.adobe.com/xmp/extension/\0" + b"G" * 40 + b"<rdf/>"
    segment = b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content
    assert ("APP1", content) in rewritten(tmp_path, jpeg(extra=segment)).applist


def test_the_xmp_copy_of_the_orientation_is_reset(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    xmp = b'<rdf:Description tiff:Orientation="6" dc:title="tiff"/>'
    result = rewritten(tmp_path, jpeg(exif=exif, xmp=xmp, dpi=(300, 200)))
    assert result.info["xmp"] == xmp.replace(b'"6"', b'"1"')
    assert result.info["dpi"] == (200, 300)
    assert result.size == (PIXELS.shape[0], PIXELS.shape[1])


def test_grey_stays_grey(tmp_path):
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(PIXELS[..., 0])).save(buffer, "JPEG", quality=60)
    result = rewritten(tmp_path, buffer.getvalue())
    assert result.mode == "L"
    assert result.quantization == PIL.Image.open(buffer).quantization


@pytest.mark.parametrize(
    "name", ["exif_gps", "exif-xmp-metadata", "hopper_bad_exif", "icc_profile_big", "multiple_exif"]
)
def test_real_metadata_survives(tmp_path, name):
    source = shared_file("odd", "jpeg", f"{name}.jpg")
    write_photo(tmp_path / "b.jpg", read_photo(source))
    before, after = PIL.Image.open(source).info, PIL.Image.open(tmp_path / "b.jpg").info
    for key in ("exif", "icc_profile", "xmp"):
        assert after.get(key) == before.get(key)


def test_further_pictures_are_noted(tmp_path):
    photo = read_photo(shared_file("odd", "other", "frozenpond.mpo"))
    assert "further pictures" in photo.notes[0]


def test_arithmetic_coding_is_read_and_noted():
    photo = read_photo(shared_file("odd", "jpeg", "testimgari.jpg"))
    assert photo.pixels.shape == (149, 227, 3)
    assert photo.notes == ("its arithmetic coding becomes Huffman coding",)


def test_twelve_bits_are_refused(tmp_path):
    samples = PIXELS.astype(np.uint16) * 16
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg_encode(samples, bitspersample=12))
    with pytest.raises(ImageReadError, match="12-bit JPEGs are not supported"):
        read_photo(tmp_path / "a.jpg")


def test_content_credentials_are_left_out_with_a_note(tmp_path):
    segment = b"\xff\xeb\x00\x0cJP\0\1\0\0\0\1ab"
    (tmp_path / "a.jpg").write_bytes(jpeg(extra=segment))
    photo = read_photo(tmp_path / "a.jpg")
    assert "C2PA" in photo.notes[0]
    write_photo(tmp_path / "b.jpg", photo)
    assert segment not in (tmp_path / "b.jpg").read_bytes()
