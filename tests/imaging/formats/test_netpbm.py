from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import Photo, read_photo, write_photo
from deblur_cli.imaging.formats.netpbm import NetpbmEncoding
from tests.shared import shared_file

COLOURS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(data=st.data(), maximum=st.integers(1, 65535), kind=st.sampled_from(["P5", "P6"]))
def test_any_maximum_comes_back_byte_for_byte(tmp_path, data, maximum, kind):
    shape = (3, 4, 1 if kind == "P5" else 3)
    codes = data.draw(arrays.arrays(np.uint16, shape, elements=st.integers(0, maximum)))
    body = codes.astype("u1" if maximum <= 255 else ">u2").tobytes()
    (tmp_path / "a").write_bytes(f"{kind}\n4 3\n{maximum}\n".encode() + body)
    write_photo(tmp_path / "b", read_photo(tmp_path / "a"))
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()


def test_pillow_reads_the_same(tmp_path):
    PIL.Image.fromarray(COLOURS).save(tmp_path / "a.ppm")
    photo = read_photo(tmp_path / "a.ppm")
    np.testing.assert_array_equal(photo.pixels, COLOURS)
    write_photo(tmp_path / "b.ppm", photo)
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "b.ppm")), COLOURS)


def test_comments_are_passed_over(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 # a comment\n# another\n2 1\n255\n\x07\x08")
    assert read_photo(tmp_path / "a.pgm").pixels[0, :, 0].tolist() == [7, 8]


@pytest.mark.parametrize(("scale", "order"), [("-1.0", "<f4"), ("1", ">f4")])
def test_floats_lie_bottom_up(tmp_path, scale, order):
    light = np.arange(12, dtype=np.float32).reshape(2, 2, 3) - 3
    body = light[::-1].astype(order).tobytes()
    (tmp_path / "a.pfm").write_bytes(f"PF\n2 2\n{scale}\n".encode() + body)
    photo = read_photo(tmp_path / "a.pfm")
    np.testing.assert_array_equal(photo.pixels, light)
    write_photo(tmp_path / "b.pfm", photo)
    np.testing.assert_array_equal(read_photo(tmp_path / "b.pfm").pixels, photo.pixels)


@pytest.mark.parametrize("content", [b"P1\n3 1\n1 0 1\n", b"P2\n3 1\n255\n0 255 0\n"])
def test_plain_kinds_are_read(tmp_path, content):
    (tmp_path / "a.pnm").write_bytes(content)
    assert read_photo(tmp_path / "a.pnm").pixels[0, :, 0].tolist() == [0, 255, 0]


def test_damage_is_one_clear_error(tmp_path):
    for content in (b"P5\n4 3\n255\nshort", b"P6\n4 3\n99999\n" + bytes(99), b"P5 nonsense"):
        (tmp_path / "a.pgm").write_bytes(content)
        with pytest.raises(ImageReadError, match="damaged or incomplete Netpbm"):
            read_photo(tmp_path / "a.pgm")


def test_a_real_file_of_16_bits_is_kept(tmp_path):
    path = shared_file("odd", "other", "hopper_16bit.pgm")
    photo = read_photo(path)
    assert photo.encoding == NetpbmEncoding(65535)
    write_photo(tmp_path / "b.pgm", photo)
    assert (tmp_path / "b.pgm").read_bytes().endswith(path.read_bytes()[-128 * 128 * 2 :])


def test_alpha_is_refused(tmp_path):
    photo = Photo(COLOURS, NetpbmEncoding(), alpha=COLOURS[:, :, 0])
    with pytest.raises(Exception, match="it has no alpha channel"):
        write_photo(tmp_path / "a.ppm", photo)
