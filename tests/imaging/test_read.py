from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL.ExifTags import Base

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import SUFFIXES, looks_like_image, read_photo
from tests.shared import shared_file

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (5, 7, 3), np.uint8)


def saved(path: Path, pixels: np.ndarray, **options) -> Path:
    PIL.Image.fromarray(pixels).save(path, **options)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ImageReadError) as caught:
        read_photo(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_colour_is_rgb_and_writable(tmp_path):
    photo = read_photo(saved(tmp_path / "a.png", COLOURS))
    np.testing.assert_array_equal(photo.pixels, COLOURS)
    assert photo.alpha is None
    assert not photo.greyscale
    assert photo.pixels.flags.writeable
    assert photo.pixels.flags.c_contiguous


def test_grey_becomes_three_equal_channels(tmp_path):
    photo = read_photo(saved(tmp_path / "a.png", COLOURS[..., 0]))
    assert photo.greyscale
    np.testing.assert_array_equal(photo.pixels, np.stack([COLOURS[..., 0]] * 3, 2))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_apart(tmp_path, mode):
    samples = RNG.integers(0, 256, (5, 7, len(mode)), np.uint8)
    photo = read_photo(saved(tmp_path / "a.png", samples))
    np.testing.assert_array_equal(photo.alpha, samples[..., -1])
    assert photo.greyscale == (mode == "LA")


def test_a_palette_becomes_colour(tmp_path):
    picture = PIL.Image.fromarray(COLOURS).quantize(8)
    picture.save(tmp_path / "a.png", transparency=3)
    photo = read_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture.convert("RGB")))
    np.testing.assert_array_equal(photo.alpha, np.where(np.asarray(picture) == 3, 0, 255))
    assert photo.notes == ("its palette becomes full colour",)


def test_a_transparent_colour_becomes_alpha(tmp_path):
    key = tuple(COLOURS[2, 3].tolist())
    photo = read_photo(saved(tmp_path / "a.png", COLOURS, transparency=key))
    assert photo.alpha[2, 3] == 0
    assert photo.alpha.sum() == 255 * (COLOURS.shape[0] * COLOURS.shape[1] - 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".jpg"])
def test_orientation_is_applied_once(tmp_path, orientation, suffix):
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:8, :16] = 255
    stored = np.asarray(_turned_back(PIL.Image.fromarray(picture), orientation))
    exif = PIL.Image.Exif()
    exif[Base.Orientation] = orientation
    options = {"lossless": True} if suffix == ".webp" else {}
    photo = read_photo(saved(tmp_path / f"a{suffix}", stored, exif=exif, **options))
    np.testing.assert_allclose(photo.pixels, picture, atol=2)
    after = PIL.Image.Exif()
    after.load(photo.metadata.exif or b"II*\0\x08\0\0\0\0\0\0\0\0\0")
    assert after.get(Base.Orientation, 1) == 1


def _turned_back(upright, orientation):
    turns = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"}
    turns |= {6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}
    name = turns.get(orientation)
    return upright.transpose(PIL.Image.Transpose[name]) if name else upright


@pytest.mark.parametrize("orientation", range(1, 9))
def test_real_oriented_photos_are_upright(orientation):
    folder = shared_file("odd", "exif-orientation")
    truth = read_photo(folder / "Landscape_1.jpg").pixels.astype(int)
    photo = read_photo(folder / f"Landscape_{orientation}.jpg")
    assert np.abs(photo.pixels - truth).mean() < 5


@pytest.mark.parametrize("mode", ["LAB", "YCbCr", "I"])
def test_other_kinds_of_picture_are_refused_by_name(tmp_path, mode):
    PIL.Image.new(mode, (4, 3)).save(tmp_path / "a.tif")
    assert "not supported" in refusal(tmp_path / "a.tif")


def make_png(path: Path, width: int, height: int, bits: int, colour_type: int, rows: bytes) -> Path:
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    content = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


def test_shallow_grey_fills_the_range(tmp_path):
    path = make_png(tmp_path / "a.png", 4, 1, 2, 0, b"\0\x1b")
    assert read_photo(path).pixels[0, :, 0].tolist() == [0, 85, 170, 255]


def test_a_bomb_is_refused_by_its_header(tmp_path):
    path = make_png(tmp_path / "a.png", 30000, 20000, 8, 2, b"")
    assert "30000 x 20000 pixels are more than the 250 million allowed" in refusal(path)
    path = make_png(tmp_path / "a.png", 10000, 10000, 8, 2, b"")
    assert "look like a decompression bomb (--max-pixels allows it)" in refusal(path)


def test_more_pixels_are_allowed_on_demand(tmp_path, monkeypatch):
    monkeypatch.setattr("deblur_cli.imaging.source.PLAUSIBLE_PIXELS", 10**6)
    path = make_png(tmp_path / "a.png", 2000, 2000, 1, 0, bytes(2000 * 251))
    assert "bomb" in refusal(path)
    assert read_photo(path, max_pixels=4_000_000).pixels.shape == (2000, 2000, 3)
    with pytest.raises(ImageReadError, match="more than the 3 million allowed"):
        read_photo(path, max_pixels=3_000_000)


def test_a_large_photo_is_no_bomb(tmp_path):
    PIL.Image.new("L", (12000, 8000)).save(tmp_path / "a.tif", compression="packbits")
    assert read_photo(tmp_path / "a.tif").pixels.shape == (8000, 12000, 3)


@pytest.mark.parametrize(("suffix", "name"), [(".webp", "animated WebP"), (".png", "animated PNG")])
def test_animations_are_refused(tmp_path, suffix, name):
    frames = [PIL.Image.fromarray(COLOURS + np.uint8(80 * i)) for i in range(3)]
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:])
    assert name in refusal(tmp_path / f"a{suffix}")


def test_several_pages_are_refused(tmp_path):
    pages = [PIL.Image.fromarray(COLOURS)] * 2
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert "multi-page TIFF" in refusal(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"These are words.", "not an image"), (b"8BPS" + bytes(9), "Photoshop")],
)
@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_what_is_no_photo_is_refused_whatever_its_name(tmp_path, content, reason, suffix):
    (tmp_path / f"a{suffix}").write_bytes(content)
    assert reason in refusal(tmp_path / f"a{suffix}")


def test_missing_files_and_folders_are_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "absent.jpg")
    assert "cannot be read" in refusal(tmp_path)


def test_no_permission_is_refused(tmp_path, monkeypatch):
    def closed(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", closed)
    assert "cannot be read: Permission denied" in refusal(tmp_path / "a.png")
    assert not looks_like_image(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_truncated_files_are_refused(tmp_path, suffix):
    noise = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    path = saved(tmp_path / f"a{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged or incomplete" in refusal(path)


def test_the_content_decides_what_looks_like_an_image(tmp_path):
    saved(tmp_path / "photo.txt", COLOURS, format="JPEG")
    (tmp_path / "words.jpg").write_text("words")
    assert looks_like_image(tmp_path / "photo.txt")
    assert read_photo(tmp_path / "photo.txt").encoding.format == "JPEG"
    assert not looks_like_image(tmp_path / "words.jpg")
    assert not looks_like_image(tmp_path / "absent.jpg")
    assert not looks_like_image(tmp_path)
