from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from deblur_cli.data.camera import IDENTITY, SRGB, Picture
from deblur_cli.data.frames import average_frames, frame_pairs
from deblur_cli.errors import ImageReadError


def moving_square(index: int) -> Picture:
    frame = np.full((48, 96, 3), 30, np.uint8)
    frame[16:32, 8 + 2 * index : 24 + 2 * index] = (220, 120, 60)
    return frame


def column_of(frame: Picture) -> float:
    """Where the bright square's centre lies, in pixels from the left."""
    red = np.clip(frame[16:32, :, 0].astype(float) - 40, 0, None).sum(axis=0)
    return float((red * np.arange(len(red))).sum() / red.sum())


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "square.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 240, (96, 48))
    for index in range(30):
        writer.write(cv2.cvtColor(moving_square(index), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def test_without_a_response_the_average_is_the_mean() -> None:
    frames = [moving_square(index) for index in range(9)]
    mean = np.mean(frames, axis=0)
    assert average_frames(frames, IDENTITY) == pytest.approx(mean, abs=0.51)


def test_with_a_response_the_average_is_the_mean_of_the_light() -> None:
    frames = [moving_square(index) for index in range(9)]
    value = np.array(frames) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).mean(0)
    mean = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    assert average_frames(frames, SRGB) == pytest.approx(mean * 255, abs=0.6)


def test_the_truth_is_the_centre_frame_of_each_window(video: Path) -> None:
    pairs = frame_pairs(video, np.random.default_rng(0), shortest=3, longest=7, every=5)
    assert len(pairs) == 5
    for index, (blurred, sharp) in enumerate(pairs):
        centre = moving_square(3 + 5 * index).astype(int)
        assert blurred.shape == sharp.shape == (48, 96, 3)
        assert np.abs(sharp - centre).mean() < 6
        assert column_of(blurred) == pytest.approx(column_of(sharp), abs=0.3)
        assert blurred[24].astype(float).std() < sharp[24].astype(float).std()


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(ImageReadError, match=r"text\.mp4"):
        frame_pairs(path, np.random.default_rng(0))
