"""What is compared does the same work: every photo read, and written as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.batch import Cost, compare, make_photos, measured, run_bare, run_batch, scene


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    make_photos(tmp_path / "photos", 3, height=64, width=96)
    return tmp_path / "photos"


def test_photos_differ_and_have_details_of_all_sizes() -> None:
    one, other = scene(0, 200, 300), scene(1, 200, 300)
    assert one.shape == other.shape == (200, 300, 3)
    assert np.abs(one.astype(int) - other).mean() > 20
    for step in (1, 10, 50):
        assert np.abs(np.diff(one[::step, ::step].astype(int), axis=1)).mean() > 2


def test_photos_are_as_a_camera_writes_them(photos: Path) -> None:
    with Image.open(photos / "000.jpg") as photo:
        assert photo.size == (96, 64)
        assert photo.getexif()


def test_both_write_the_same_pixels(photos: Path, tmp_path: Path) -> None:
    run_bare(photos, tmp_path / "bare", threads=2)
    run_batch(photos, tmp_path / "batch")
    for photo in photos.iterdir():
        bare, batch = (Image.open(tmp_path / way / photo.name) for way in ("bare", "batch"))
        assert np.array_equal(np.asarray(bare), np.asarray(batch))


def test_photo_that_is_not_restored_is_no_measurement(photos: Path, tmp_path: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(RuntimeError, match=r"bad\.jpg"):
        run_batch(photos, tmp_path / "batch")


def test_every_round_costs_something(photos: Path) -> None:
    bare, batch = compare(photos, threads=1, rounds=2)
    assert len(bare) == len(batch) == 2
    assert all(cost.clock > 0 and cost.processor > 0 for cost in (*bare, *batch))
    assert sorted(path.name for path in photos.parent.iterdir()) == ["photos"]


def test_work_is_measured() -> None:
    cost = measured(lambda: sum(range(100_000)))
    assert isinstance(cost, Cost)
    assert cost.processor > 0
