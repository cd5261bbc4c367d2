from __future__ import annotations

import numpy as np
import OpenEXR
import pytest

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import read_photo, write_photo
from tests.shared import shared_file

RNG = np.random.default_rng(0)
LIGHT = (RNG.standard_normal((20, 30, 3)) * 4).astype(np.float16)


def saved(path, channels, **header):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}
    planes = {name: np.ascontiguousarray(samples) for name, samples in channels.items()}
    OpenEXR.File(header, planes).write(str(path))
    return path


def channels_of(path):
    file = OpenEXR.File(str(path), separate_channels=True)
    return {name: channel.pixels for name, channel in file.channels().items()}, file.header()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("names", ["RGB", "RGBA", "Y"])
def test_floats_beyond_white_and_black_come_back(tmp_path, dtype, names):
    light = LIGHT.astype(dtype)
    alpha = RNG.choice([0, 0.5, 1], (20, 30)).astype(dtype)
    planes = {name: light[:, :, i] for i, name in enumerate(names.strip("A"))}
    channels = planes | ({"A": alpha} if "A" in names else {})
    photo = read_photo(saved(tmp_path / "a.exr", channels))
    assert photo.pixels.dtype == np.float32
    assert photo.pixels.max() > 1
    assert photo.pixels.min() < 0
    assert (photo.greyscale, photo.alpha is not None) == (names == "Y", "A" in names)
    write_photo(tmp_path / "b.exr", photo)
    after, _ = channels_of(tmp_path / "b.exr")
    assert after.keys() == channels.keys()
    for name, samples in channels.items():
        assert after[name].dtype == dtype
        np.testing.assert_array_equal(after[name], samples)


def test_alpha_is_made_straight(tmp_path):
    planes = {name: np.full((4, 4), 0.5, np.float32) for name in "RGBA"}
    photo = read_photo(saved(tmp_path / "a.exr", planes))
    np.testing.assert_array_equal(photo.pixels, np.ones((4, 4, 3), np.float32))


def test_other_channels_and_attributes_stay(tmp_path):
    depth = RNG.random((20, 30)).astype(np.float32)
    mask = RNG.integers(0, 9, (20, 30)).astype(np.uint32)
    planes = {name: LIGHT[:, :, i] for i, name in enumerate("RGB")} | {"Z": depth, "id": mask}
    path = saved(tmp_path / "a.exr", planes, compression=OpenEXR.PIZ_COMPRESSION, owner="someone")
    write_photo(tmp_path / "b.exr", read_photo(path))
    after, header = channels_of(tmp_path / "b.exr")
    np.testing.assert_array_equal(after["Z"], depth)
    np.testing.assert_array_equal(after["id"], mask)
    assert (header["owner"], header["compression"]) == ("someone", OpenEXR.PIZ_COMPRESSION)


def test_what_is_too_bright_for_halves_stays_finite(tmp_path):
    planes = {name: np.full((4, 4), 60000, np.float16) for name in "RGB"}
    photo = read_photo(saved(tmp_path / "a.exr", planes))
    write_photo(tmp_path / "b.exr", photo.with_pixels(photo.pixels * 2))
    assert read_photo(tmp_path / "b.exr").pixels.max() == 65504


def test_other_channels_alone_are_refused(tmp_path):
    path = saved(tmp_path / "a.exr", {"Z": np.zeros((4, 4), np.float32)})
    with pytest.raises(ImageReadError, match="OpenEXR files of channels Z are not supported"):
        read_photo(path)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_a_file_that_is_cut_off_is_refused(tmp_path, part, capsys):
    path = saved(tmp_path / "a.exr", {name: LIGHT[:, :, i] for i, name in enumerate("RGB")})
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(ImageReadError, match="damaged or incomplete OpenEXR"):
        read_photo(path)
    assert capsys.readouterr().out == ""


def test_a_name_that_is_no_text_is_damage(tmp_path):
    path = saved(tmp_path / "a.exr", {name: LIGHT[:, :, i] for i, name in enumerate("RGB")})
    path.write_bytes(path.read_bytes().replace(b"B\0\1\0\0\0", b"\xc2\0\1\0\0\0", 1))
    with pytest.raises(ImageReadError, match="damaged or incomplete OpenEXR"):
        read_photo(path)


def test_a_real_file_is_read():
    photo = read_photo(shared_file("odd", "exr", "comp_dwaa_v1.exr"))
    assert photo.alpha is not None
    assert photo.pixels.shape == (675, 587, 3)
