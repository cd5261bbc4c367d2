"""The flicker that tiles add is found, and none where they add none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from benchmarks.flicker import compare, frames_of, overlaps, still_scene
from deblur_cli.data.camera import Picture
from deblur_cli.inference.engine import Deblurrer, Restoration
from deblur_cli.inference.tiles import Size
from tests.inference.fakes import FakeModel
from tests.video.clips import Recipe, write_clip

FRAMES = still_scene(3, height=96, width=208)


def _identity(tile: int) -> Deblurrer:
    model = FakeModel(lambda x: x, 8)
    return Deblurrer(model, device="cpu", dtype="float32", tile=tile, overlap=16)


class Flickering(Deblurrer):
    """The identity; from the second column of tiles on each frame has a brightness of its own."""

    def __init__(self) -> None:
        model = FakeModel(lambda x: x, 8)
        super().__init__(model, device="cpu", dtype="float32", tile=128, overlap=16)

    def stream(self, images: Iterable[Picture], strength: float = 1.0) -> Iterator[Restoration]:
        for number, restoration in zip(count(), super().stream(images, strength), strict=False):
            restoration.image[:, 104:] //= 1 + number % 2
            yield restoration


def test_frames_of_the_still_scene_differ_in_noise_alone() -> None:
    first, second, _ = FRAMES
    difference = first.astype(float) - second
    assert difference.std() == pytest.approx(3 * 2**0.5, rel=0.1)
    assert abs(difference.mean()) < 0.1


def test_identity_in_tiles_adds_nothing() -> None:
    found = compare(FRAMES, _identity(0), _identity(128))
    assert found.tiled == found.whole == found.given > 1
    assert found.added == 1


def test_tiles_that_flicker_are_found() -> None:
    found = compare(FRAMES, _identity(0), Flickering())
    assert found.whole == found.given
    assert found.added > 2


def test_one_tile_is_no_comparison() -> None:
    with pytest.raises(ValueError, match="tile"):
        compare(FRAMES, _identity(0), _identity(0))


def test_overlaps_are_where_several_tiles_are() -> None:
    between = overlaps(Size(96, 208), 128, 16, 8)
    assert between.shape == (96, 208)
    assert between.any(axis=0).sum() in range(16, 49)
    assert (between == between[:1]).all()
    assert not overlaps(Size(96, 96), 128, 16, 8).any()


def test_frames_of_a_clip(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Recipe(frames=20))
    frames = frames_of(clip, start=0.2, frames=4)
    assert np.shape(frames) == (4, 48, 64, 3)
