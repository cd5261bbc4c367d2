"""Truncated and changed files of every format: a photo or one clear line, never anything else."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deblur_cli.errors import ImageReadError, MissingExtraError
from deblur_cli.imaging import Metadata, Photo, encode_photo, read_photo
from deblur_cli.imaging.source import PLAUSIBLE_PIXELS
from tests.imaging.format_table import ROWS, exif_block
from tests.shared import SHARED, needs_shared

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::RuntimeWarning")

SMALL = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
METADATA = Metadata(exif=exif_block(), xmp=b"<x/>", dpi=(300.0, 300.0))
HEADS = 2048
EXTRAS = {"HEIF": "pillow_heif"}


@cache
def contents(name: str) -> tuple[bytes, ...]:
    """A small file of each kind of a format."""
    if name in EXTRAS:
        pytest.importorskip(EXTRAS[name])
    if name == "GIF":
        buffer = io.BytesIO()
        PIL.Image.fromarray(SMALL).save(buffer, "GIF")
        return (buffer.getvalue(),)
    return tuple(
        encode_photo(Photo(_in_depth(label), encoding, metadata=METADATA))
        for label, encoding in ROWS[name].depths.items()
    )


def _in_depth(label: str) -> np.ndarray:
    if label in ("half", "float"):
        return SMALL.astype(np.float32)
    return SMALL if label == "8" else SMALL.astype(np.uint16) * 257


def outcome(path: Path) -> str:
    try:
        photo = read_photo(path)
    except (ImageReadError, MissingExtraError) as error:
        assert "\n" not in str(error)
        assert str(error).startswith(f"{path}: ") or isinstance(error, MissingExtraError)
        return "refused"
    assert photo.pixels.size < 3 * PLAUSIBLE_PIXELS
    return "read"


@pytest.mark.parametrize("name", [*ROWS, "GIF"])
def test_damage_anywhere_is_a_photo_or_one_clear_error(tmp_path, name):
    @settings(
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        deadline=None,
        max_examples=30,
        derandomize=True,
        database=None,
    )
    @given(st.data())
    def damaged(data):
        content = bytearray(data.draw(st.sampled_from(contents(name))))
        places = st.integers(0, min(HEADS, len(content) - 1)) | st.integers(0, len(content) - 1)
        for place in data.draw(st.lists(places, max_size=6)):
            content[place] = data.draw(st.integers(0, 255) | st.sampled_from([0, 127, 128, 255]))
        end = data.draw(st.just(len(content)) | st.integers(1, len(content)))
        (tmp_path / "a").write_bytes(content[:end])
        outcome(tmp_path / "a")

    damaged()


@pytest.mark.parametrize("name", [*ROWS, "GIF"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.8])
def test_what_is_cut_off_is_refused(tmp_path, name, part):
    for content in contents(name):
        (tmp_path / "a").write_bytes(content)
        assert outcome(tmp_path / "a") == "read"
        (tmp_path / "a").write_bytes(content[: int(part * len(content))])
        assert outcome(tmp_path / "a") == "refused"


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("PNG", (b"\0\0\0\x18\0\0\0\x10", b"\0\0\x30\0\0\0\x30\0")),
        ("BMP", (b"\x18\0\0\0\x10\0\0\0", b"\0\x30\0\0\0\x30\0\0")),
        ("Netpbm", (b"24 16", b"12288 12288")),
        ("JPEG", (b"\x08\0\x10\0\x18\x03", b"\x08\x30\0\x30\0\x03")),
        ("JPEG 2000", (b"\0\0\0\x18\0\0\0\x10", b"\0\0\x30\0\0\0\x30\0")),
        ("GIF", (b"\x18\0\x10\0", b"\0\x30\0\x30")),
    ],
)
def test_a_header_that_claims_too_much_is_refused(tmp_path, name, size):
    path = tmp_path / "a"
    for content in contents(name):
        path.write_bytes(content.replace(*size))
        with pytest.raises(ImageReadError, match=r"12288 x 12288 pixels in \d+ bytes look like"):
            read_photo(path)


@needs_shared
def test_every_awkward_file_gives_a_photo_or_one_clear_error():
    files = [path for path in (SHARED / "odd").rglob("*") if path.is_file()]
    outcomes = {path.name: outcome(path) for path in files}
    refused = {name for name, found in outcomes.items() if found == "refused"}
    assert refused == {
        "README.md",
        "anim.webp",
        "broken.png",
        "corrupted.heic",
        "incomplete_image.jpg",
        "invalid.exr",
        "iss634.gif",
        "pngtest_bad.png.bin",
        "testorig12.jpg",
        "truncated_jpeg.jpg",
    }
