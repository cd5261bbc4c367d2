from __future__ import annotations

import struct
import zlib

import imagecodecs
import numpy as np
import PIL.Image
import pytest

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import read_photo

COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}
ADAM7 = ["::8, ::8", "::8, 4::8", "4::8, ::4", "::4, 2::4", "2::4, ::2", "::2, 1::2", "1::2, ::1"]
SIZES = [(1, 1), (1, 5), (5, 1), (4, 4), (9, 13), (16, 8)]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def interlaced(samples, bits=8, colours=None, before=b"") -> bytes:
    """A PNG file by the specification, each row without a filter."""
    height, width = samples.shape[:2]
    rows = []
    for place in ADAM7:
        down, across = (slice(*map(_number, part.split(":"))) for part in place.split(", "))
        for row in samples[down, across]:
            flat = row.reshape(-1)
            packed = flat.astype(">u2").tobytes() if bits == 16 else _packed(flat, bits)
            rows.append(b"\0" + packed if len(flat) else b"")
    colours = COLOURS[samples.shape[2]] if colours is None else colours
    head = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 1)
    pixels = zlib.compress(b"".join(rows))
    middle = b"".join(chunk(b"IDAT", pixels[i : i + 100]) for i in range(0, len(pixels), 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + middle + chunk(b"IEND", b"")


def _number(text: str) -> int | None:
    return int(text) if text.strip() else None


def _packed(values, bits: int) -> bytes:
    each = np.unpackbits(values.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :]
    return np.packbits(each.reshape(-1)).tobytes()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_all_colours_and_sizes(tmp_path, capfd, bits, channels):
    rng = np.random.default_rng(0)
    for size in SIZES:
        samples = rng.integers(0, 1 << bits, (*size, channels), np.uint16)
        (tmp_path / "a.png").write_bytes(interlaced(samples, bits))
        photo = read_photo(tmp_path / "a.png")
        assert photo.pixels.dtype == (np.uint16 if bits == 16 else np.uint8)
        colours = samples if channels in (1, 3) else samples[:, :, :-1]
        np.testing.assert_array_equal(photo.pixels, np.broadcast_to(colours, (*size, 3)))
        if channels in (2, 4):
            np.testing.assert_array_equal(photo.alpha, samples[:, :, -1])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_are_read_as_pillow_reads_them(tmp_path, bits):
    codes = np.random.default_rng(0).integers(0, 1 << bits, (11, 13, 1), np.uint8)
    palette = np.random.default_rng(1).integers(0, 256, 3 << bits, np.uint8).tobytes()
    tables = chunk(b"PLTE", palette) + chunk(b"tRNS", b"\x40")
    (tmp_path / "a.png").write_bytes(interlaced(codes, bits, colours=3, before=tables))
    photo = read_photo(tmp_path / "a.png")
    with PIL.Image.open(tmp_path / "a.png") as image:
        expected = np.asarray(image.convert("RGBA"))
    np.testing.assert_array_equal(np.dstack([photo.pixels, photo.alpha]), expected)


def test_filters_are_undone(tmp_path):
    ramp = np.linspace(0, 65535, 24 * 17 * 3).reshape(24, 17, 3).astype(np.uint16)
    passes = [ramp[::8, ::8], ramp[::8, 4::8], ramp[4::8, ::4], ramp[::4, 2::4], ramp[2::4, ::2]]
    rows = b""
    for part in [*passes, ramp[::2, 1::2], ramp[1::2]]:
        plain = imagecodecs.png_encode(np.ascontiguousarray(part))
        start = plain.index(b"IDAT")
        (length,) = struct.unpack(">I", plain[start - 4 : start])
        rows += zlib.decompress(plain[start + 4 : start + 4 + length])
    head = struct.pack(">IIBBBBB", 17, 24, 16, 2, 0, 0, 1)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, ramp)


def test_damage_is_told(tmp_path):
    samples = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    whole = interlaced(samples)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for content in (whole[: len(whole) // 2], bytes(flipped), whole[:60]):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(ImageReadError, match="damaged or incomplete PNG file"):
            read_photo(tmp_path / "a.png")
