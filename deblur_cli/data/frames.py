"""Blurred pairs from sharp high-speed video: the mean of consecutive frames (Nah et al., 2017)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from deblur_cli.data.camera import IDENTITY, Picture, Response
from deblur_cli.data.convolution import Light
from deblur_cli.errors import ImageReadError


def average_frames(frames: Sequence[Picture], response: Response = IDENTITY) -> Picture:
    """The picture of one exposure over all frames: their mean in the light of ``response``."""
    total: Light = np.zeros(frames[0].shape, np.float32)
    for frame in frames:
        cv2.accumulate(response.to_light(frame), total)
    return response.to_picture(np.divide(total, len(frames), dtype=np.float32))


def frame_pairs(
    video: Path,
    rng: np.random.Generator,
    *,
    shortest: int = 7,
    longest: int = 21,
    every: int = 6,
    responses: Sequence[Response] = (IDENTITY,),
) -> list[tuple[Picture, Picture]]:
    """Averages over windows of a video with their centre frames as truth.

    Holds a window of frames at a time and keeps only the pairs, 5.5 MB each at 1280x720.

    Args:
        video: sharp, at a high frame rate.
        rng: draws each window's odd length.
        shortest: frames of the shortest window.
        longest: frames of the longest window.
        every: frames from one centre to the next.
        responses: one is drawn for each window.

    Returns:
        Blurred and sharp picture of each window, ``(H, W, 3)`` RGB uint8.

    Raises:
        ImageReadError: the video cannot be decoded or is shorter than the longest window.
    """
    pairs = []
    for window in _windows(_decoded(video), longest, every):
        half = int(rng.integers(shortest // 2, longest // 2 + 1))
        centre = longest // 2
        response = responses[int(rng.integers(len(responses)))]
        exposure = window[centre - half : centre + half + 1]
        pairs.append((average_frames(exposure, response), window[centre]))
    if not pairs:
        raise ImageReadError(
            f"fewer than {longest} frames can be decoded",
            path=video,
            remedy="use a longer video",
        )
    return pairs


def _windows(frames: Iterator[Picture], length: int, every: int) -> Iterator[list[Picture]]:
    """Windows of ``length`` consecutive frames, one every ``every`` frames."""
    held: deque[Picture] = deque(maxlen=length)
    for index, frame in enumerate(frames):
        held.append(frame)
        if len(held) == length and (index + 1 - length) % every == 0:
            yield list(held)


def _decoded(video: Path) -> Iterator[Picture]:
    capture = cv2.VideoCapture(str(video))
    try:
        while True:
            decoded, frame = capture.read()
            if not decoded:
                return
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()
