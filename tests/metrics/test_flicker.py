from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from deblur_cli.errors import IncomparableError
from deblur_cli.metrics.flicker import Movement, movement, warped_difference


def _texture(height: int = 96, width: int = 160, seed: int = 0) -> Any:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]


def _still(height: int, width: int) -> Movement:
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return Movement(columns, rows, np.ones((height, width), bool))


@pytest.mark.parametrize(
    ("dtype", "scale"), [(np.uint8, 1), (np.uint16, 257), (np.float32, 1 / 255)]
)
def test_noise_on_a_static_scene_is_measured(dtype: type, scale: float) -> None:
    """Two independent noises of σ differ by σ√2."""
    rng = np.random.default_rng(0)
    scene = np.full((64, 96, 3), 128.0)
    frames = [((scene + rng.normal(0, 6, scene.shape)) * scale).astype(dtype) for _ in range(2)]
    assert warped_difference(*frames, _still(64, 96)) == pytest.approx(6 * 2**0.5 / 255, rel=0.03)


def test_same_frames_do_not_flicker() -> None:
    frame = _texture()
    assert warped_difference(frame, frame, movement(frame, frame)) < 1e-3


@pytest.mark.parametrize("shift", [(3, 0), (-2, 4), (0, -5)])
def test_movement_is_followed(shift: tuple[int, int]) -> None:
    across, down = shift
    wide = _texture(120, 200)
    previous = wide[12:108, 20:180]
    current = wide[12 + down : 108 + down, 20 + across : 180 + across]
    moved = movement(previous, current)
    inner = np.s_[12:-12, 12:-12]
    rows, columns = np.mgrid[:96, :160]
    assert np.abs((moved.columns - columns)[inner] - across).max() < 0.5
    assert np.abs((moved.rows - rows)[inner] - down).max() < 0.5
    assert warped_difference(previous, current, moved) < 0.02
    assert warped_difference(previous, current, _still(96, 160)) > 0.05


def test_what_comes_into_view_does_not_count() -> None:
    wide = _texture(96, 200)
    moved = movement(wide[:, :160], wide[:, 12:172])
    assert not moved.seen[:, -8:].any()
    assert moved.seen[:, 12:140].mean() > 0.95


def test_other_video_of_the_scene_is_compared_along_the_same_movement() -> None:
    wide = _texture(96, 170)
    moved = movement(wide[:, :160], wide[:, 4:164])
    brighter = np.clip(wide[:, 4:164].astype(int) + 10, 0, 255).astype(np.uint8)
    plain = warped_difference(wide[:, :160], wide[:, 4:164], moved)
    assert warped_difference(wide[:, :160], brighter, moved) > plain + 0.02


def test_nothing_seen_is_no_figure() -> None:
    frame = _texture()
    hidden = Movement(*np.zeros((2, 96, 160), np.float32), np.zeros((96, 160), bool))
    assert np.isnan(warped_difference(frame, frame, hidden))


def test_frames_must_be_alike() -> None:
    with pytest.raises(IncomparableError):
        movement(_texture(), _texture(90, 160))
    with pytest.raises(IncomparableError):
        movement(_texture(12, 12), _texture(12, 12))
    with pytest.raises(IncomparableError):
        warped_difference(_texture(), _texture().astype(np.uint16), _still(96, 160))
