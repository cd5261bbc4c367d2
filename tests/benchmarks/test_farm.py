"""What the comparison of farms counts; clusters are left to the real one."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from benchmarks.batch import make_photos
from benchmarks.farm import Still, course_of, load_still
from deblur_cli.pipeline.images import Batch


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    make_photos(tmp_path / "photos", 3, height=64, width=96)
    return tmp_path / "photos"


def test_course_of_a_batch_leaves_only_the_photos(photos: Path) -> None:
    course = course_of(Batch({"cpu": Still()}), photos)  # type: ignore[dict-item]
    assert course.clock > 0
    assert course.driver > 0
    assert 0 <= course.devices < course.clock
    assert [path.name for path in photos.parent.iterdir()] == ["photos"]


def test_photo_that_is_not_restored_is_no_measurement(photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(RuntimeError, match=r"bad\.jpg"):
        course_of(Batch({"cpu": Still()}), photos)  # type: ignore[dict-item]


def test_workers_get_the_network_that_does_nothing() -> None:
    network = pickle.loads(pickle.dumps(load_still))("cpu", b"")
    image = np.full((4, 4, 3), 7, np.uint8)
    assert np.array_equal(network.restore(image).image, image)
    assert (network.source, network.warnings) == ("nowhere", ())
