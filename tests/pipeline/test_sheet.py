from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deblur_cli.errors import ImageWriteError
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.sheet import draw_sheet, most_changed, write_missing_sheet, write_sheet
from tests.pipeline.fakes import save_picture

SHAPE = (1000, 2000, 3)
HEADER = 28


def _pair(*places: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A grey picture, and the same with bright squares at (x, y), each brighter than the next."""
    before = np.full(SHAPE, 100, np.uint8)
    after = before.copy()
    for number, (x, y) in enumerate(places):
        after[y : y + 16, x : x + 16] = 250 - 40 * number
    return before, after


def test_crops_lie_where_most_changed_in_that_order() -> None:
    places = ((1900, 30), (40, 900), (950, 500))
    boxes = most_changed(*_pair(*places))
    assert len(boxes) == 3
    for (x, y), (left, top, right, bottom) in zip(places, boxes, strict=True):
        assert left <= x
        assert x + 16 <= right <= SHAPE[1]
        assert top <= y
        assert y + 16 <= bottom <= SHAPE[0]


def test_nothing_changed_has_no_crops() -> None:
    before, _ = _pair()
    assert most_changed(before, before) == []


@settings(deadline=None, max_examples=20)
@given(st.integers(8, 900), st.integers(8, 1700), st.integers(0, 2**32 - 1))
def test_boxes_are_inside_and_apart(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = np.zeros((height, width, 3), np.uint8)
    after = np.repeat(rng.integers(0, 256, (height, width, 1), np.uint8), 3, axis=2)
    boxes = most_changed(before, after)
    covered = np.zeros((height, width), np.int64)
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        covered[top:bottom, left:right] += 1
    assert 1 <= len(boxes) <= 3
    assert covered.max() == 1


def test_sheet_shows_both_pictures_and_crops_at_full_size() -> None:
    before, after = _pair((1900, 30))
    sheet = np.asarray(draw_sheet(before, after))[HEADER:]
    left, right = np.hsplit(sheet, 2)
    assert (left == 250).all(axis=2).sum() == 0
    whole_size = (right == 250).all(axis=2)
    assert whole_size.sum() >= 16 * 16
    rows, columns = np.nonzero(whole_size[-320:])
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (16, 16)


def test_small_picture_is_shown_once_as_it_is(tmp_path: Path) -> None:
    picture = np.full((40, 60, 3), 90, np.uint8)
    sheet = np.asarray(draw_sheet(picture, picture + 50))[HEADER:]
    assert sheet.shape[1] < 2 * 60 + 40
    assert (sheet == 90).all(axis=2).sum() == 40 * 60
    assert (sheet == 140).all(axis=2).sum() == 40 * 60


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((20, 30, 3), 100, np.uint8),
        np.full((20, 30, 3), 100 * 257, np.uint16),
        np.full((20, 30, 3), 100 / 255, np.float32),
    ],
)
def test_any_depth_is_shown_in_8_bits(tmp_path: Path, pixels: np.ndarray) -> None:
    write_sheet(tmp_path / "new/a.jpg", pixels, pixels)
    with Image.open(tmp_path / "new/a.jpg") as sheet:
        assert sheet.format == "JPEG"
        assert abs(np.asarray(sheet)[40, 20].astype(int) - 100).max() <= 2


def test_sheet_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    picture = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(ImageWriteError, match=r"a\.jpg: the comparison cannot be written"):
        write_sheet(tmp_path / "a.jpg", picture, picture)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


@pytest.mark.parametrize("size", [(5, 2000), (2000, 5), (1, 900), (8, 1000), (1, 1)])
def test_pictures_of_a_few_rows_or_columns_have_a_sheet(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    before = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    write_sheet(tmp_path / "a.jpg", before, 255 - before)
    with Image.open(tmp_path / "a.jpg") as sheet:
        assert min(sheet.size) > 1


def test_folder_of_sheets_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    picture = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(ImageWriteError, match="choose another folder with --compare"):
        write_sheet(tmp_path / "file/a.jpg", picture, picture)


def test_missing_sheet_is_made_from_the_files(tmp_path: Path) -> None:
    source = save_picture(tmp_path / "a.png", value=40)
    target = save_picture(tmp_path / "out/a.png", value=200)
    job = Job(source, target, tmp_path / "out", tmp_path / "sheets/a.png.jpg")
    write_missing_sheet(job)
    assert job.sheet is not None
    written = job.sheet.read_bytes()
    job.sheet.write_bytes(b"mine")
    write_missing_sheet(job)
    assert job.sheet.read_bytes() == b"mine" != written
