from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import cv2
import numpy as np
import pytest

from deblur_cli.imaging.scenes import SceneCuts
from tests.shared import shared_file


def _scene(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, (320, 180), interpolation=cv2.INTER_CUBIC)


def _cuts(images: Iterator[Any]) -> list[int]:
    cuts = SceneCuts()
    return [number for number, image in enumerate(images) if cuts.begins_with(image)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_cuts_are_where_scenes_begin(dtype: type) -> None:
    scale = {np.uint8: 1, np.uint16: 257, np.float32: 1 / 255}[dtype]
    images = [(_scene(number // 5) * np.float32(scale)).astype(dtype) for number in range(20)]
    assert _cuts(iter(images)) == [0, 5, 10, 15]


def test_noise_blur_and_light_are_no_cut() -> None:
    rng = np.random.default_rng(0)
    scene = _scene(1)
    noisy = np.clip(scene + rng.normal(0, 20, scene.shape), 0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(scene, (0, 0), 4)
    darker = (scene * 0.9).astype(np.uint8)
    assert _cuts(iter([scene, noisy, blurred, scene, darker, blurred])) == [0]


def test_fast_movement_is_no_cut() -> None:
    wide = np.concatenate([_scene(seed) for seed in range(6)], axis=1)
    starts = (number**2 // 8 for number in range(100))
    pan = (wide[:, start : start + 320] for start in starts)
    assert _cuts(pan) == [0]


def test_cuts_of_a_real_video() -> None:
    """Where small copies change by 0.18 or more; no other frame does by more than 0.08."""
    with av.open(str(shared_file("video", "bikes.mp4"))) as file:
        images = (frame.to_ndarray(format="rgb24") for frame in file.decode(video=0))
        assert _cuts(images) == [0, 30, 76, 137, 187, 242]
