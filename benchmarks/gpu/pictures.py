"""Blurred and sharp pictures without an image decoder: drawn ones, and real ones where they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""HWC, RGB."""

BLUR = 9
"""Pixels that the camera moves during an exposure of a drawn picture."""


@dataclass(frozen=True)
class Pair:
    """A blurred picture and the truth."""

    blurred: Picture
    sharp: Picture


@dataclass(frozen=True)
class Samples:
    """Real pictures: some pairs, and consecutive frames of a clip."""

    pairs: tuple[Pair, ...]
    clip: tuple[Picture, ...]


def read_samples(path: Path, side: int, frame: tuple[int, int]) -> Samples | None:
    """What `benchmarks.gpu_samples` wrote, cut to pairs and frames no larger than these.

    None where it never ran.
    """
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as stored:
        blurred, sharp = (stored[kind][:, :side, :side] for kind in ("blurred", "sharp"))
        both = zip(blurred, sharp, strict=True)
        clip = stored["clip"][:, : frame[0], : frame[1]]
        return Samples(tuple(Pair(*pair) for pair in both), tuple(clip))


def drawn_pair(height: int, width: int, seed: int) -> Pair:
    """A drawn scene, and the mean of what a camera sees of it that moves sideways."""
    scene = _scene(height, width + BLUR, np.random.default_rng(seed))
    views = [scene[:, step : step + width] for step in range(BLUR)]
    return Pair(_picture(np.mean(views, axis=0)), _picture(views[BLUR // 2]))


def drawn_clip(height: int, width: int, frames: int) -> Iterator[Picture]:
    """Blurred frames of a camera that pans over a drawn scene."""
    scene = _scene(height, width + BLUR * (frames + 1), np.random.default_rng(0))
    for frame in range(frames):
        start = frame * BLUR
        views = [scene[:, start + step : start + step + width] for step in range(BLUR)]
        yield _picture(np.mean(views, axis=0))


def _scene(height: int, width: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A gradient with discs and bars of all sizes on it, and grain: light in [0,1]."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    scene = np.stack([x / width, y / height, 1 - x / width], axis=2) * np.float32(0.8)
    for _ in range(60):
        row, column = rng.uniform(0, height), rng.uniform(0, width)
        tall, wide = rng.uniform(1, height / 4, 2)
        round_shape = ((y - row) / tall) ** 2 + ((x - column) / wide) ** 2 < 1
        bar = (np.abs(y - row) < tall) & (np.abs(x - column) < max(wide / 8, 1))
        scene[round_shape if rng.random() < 0.5 else bar] = rng.uniform(0, 1, 3)
    grain = rng.normal(0, 0.02, (height, width, 1)).astype(np.float32)
    return np.clip(scene + grain, 0, 1)


def _picture(light: npt.NDArray[np.floating]) -> Picture:
    return np.rint(light * 255).astype(np.uint8)
