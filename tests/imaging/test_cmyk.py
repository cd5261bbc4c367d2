from __future__ import annotations

import io
import struct

import numpy as np
import PIL.Image
import pytest
import tifffile
from PIL import ImageCms

from deblur_cli.imaging import read_photo, write_photo
from deblur_cli.imaging.cmyk import cmyk_to_srgb
from tests.shared import shared_file

INKS = {"paper": (0, 0, 0, 0), "black": (0, 0, 0, 255), "red": (0, 255, 255, 0)}
COLOURS = {"paper": (255, 255, 255), "black": (0, 0, 0), "red": (255, 0, 0)}


@pytest.mark.parametrize("name", INKS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("icc", [None, b"nonsense"])
def test_inks_without_a_profile_take_away_their_colour(name, dtype, icc):
    scale = 257 if dtype == np.uint16 else 1
    rgb, note = cmyk_to_srgb(np.full((2, 3, 4), INKS[name], dtype) * dtype(scale), icc)
    np.testing.assert_array_equal(rgb, np.full((2, 3, 3), COLOURS[name], dtype) * dtype(scale))
    assert "without a usable profile" in note


def profile() -> bytes:
    """An ICC profile of four inks: a table of Lab colours for each of the 16 full overprints."""
    overprints = (np.array([i >> 3 & 1, i >> 2 & 1, i >> 1 & 1, i & 1]) for i in range(16))
    lab = [_lab(*inks) for inks in overprints]
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0])
    table += struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table += 4 * ramp + bytes(np.array(lab, np.uint8).ravel()) + 3 * ramp
    start = 128 + 4 + 12
    head = struct.pack(
        ">I4sI4s4s4s", start + len(table), b"", 0x02400000, b"prtr", b"CMYK", b"Lab "
    )
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", start, len(table)) + table


def _lab(cyan: int, magenta: int, yellow: int, black: int) -> tuple[int, int, int]:
    lightness = 255 - 60 * cyan - 70 * magenta - 10 * yellow
    return lightness * (1 - black), 128 - 40 * cyan + 70 * magenta, 128 - 50 * cyan + 90 * yellow


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_embedded_profile_decides(dtype):
    inks = np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)
    scale = 257 if dtype == np.uint16 else 1
    rgb, note = cmyk_to_srgb(inks.astype(dtype) * dtype(scale), profile())
    reference = ImageCms.profileToProfile(
        PIL.Image.frombytes("CMYK", (16, 16), inks.tobytes()),
        ImageCms.ImageCmsProfile(io.BytesIO(profile())),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )
    assert note == "its CMYK colours become sRGB, through its profile"
    assert rgb.dtype == dtype
    assert np.abs(rgb / scale - np.asarray(reference)).max() <= 1.01


def test_the_profile_of_the_inks_is_not_kept(tmp_path):
    inks = PIL.Image.new("CMYK", (16, 16), (0, 200, 200, 0))
    for suffix in (".jpg", ".tif"):
        inks.save(tmp_path / f"a{suffix}", icc_profile=profile())
        photo = read_photo(tmp_path / f"a{suffix}")
        assert photo.notes == ("its CMYK colours become sRGB, through its profile",)
        assert photo.metadata.icc is None


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_a_cmyk_file_becomes_rgb_and_says_so(tmp_path, suffix):
    PIL.Image.new("CMYK", (16, 16), (0, 200, 200, 0)).save(tmp_path / f"a{suffix}")
    photo = read_photo(tmp_path / f"a{suffix}")
    assert np.abs(photo.pixels.astype(int) - (255, 55, 55)).max() <= 3
    assert "CMYK" in photo.notes[0]
    write_photo(tmp_path / f"b{suffix}", photo)
    assert PIL.Image.open(tmp_path / f"b{suffix}").mode == "RGB"


def test_deep_inks_stay_deep(tmp_path):
    inks = np.full((8, 8, 4), (0, 30000, 65535, 0), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", inks, photometric="separated")
    photo = read_photo(tmp_path / "a.tif")
    assert photo.pixels[0, 0].tolist() == [65535, 35535, 0]


@pytest.mark.parametrize("file", ["jpeg/cymk.jpg", "jpeg/pil_sample_cmyk.jpg"])
def test_real_files_look_as_in_other_programs(file):
    path = shared_file("odd", *file.split("/"))
    other = np.asarray(PIL.Image.open(path).convert("RGB"))
    assert np.abs(read_photo(path).pixels.astype(int) - other).mean() < 2
