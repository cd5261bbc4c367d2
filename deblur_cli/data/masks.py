"""Random masks that say where in a picture one blur gives way to another."""

from __future__ import annotations

import cv2
import numpy as np

from deblur_cli.data.convolution import Light


def smooth_mask(rng: np.random.Generator, height: int, width: int, steepness: float) -> Light:
    """An ``(H, W, 1)`` mask in [0, 1] of a few large lobes, half of it above 0.5.

    Args:
        rng: source of randomness.
        height: of the mask, in pixels.
        width: of the mask, in pixels.
        steepness: 3 passes gently from one to the other, 60 nearly cuts.
    """
    lobes = int(rng.integers(2, 5))
    coarse = rng.random((lobes, lobes), dtype=np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    mask = 1 / (1 + np.exp(-steepness * (field - np.median(coarse))))
    return np.asarray(mask, dtype=np.float32)[..., None]


def object_mask(rng: np.random.Generator, height: int, width: int) -> Light:
    """An ``(H, W, 1)`` mask in [0, 1]: one polygon with a soft outline of about a pixel."""
    corners = int(rng.integers(3, 9))
    centre = rng.uniform(0.15, 0.85, 2) * (width, height)
    radii = rng.uniform(0.12, 0.4) * min(height, width) * rng.uniform(0.5, 1.3, corners)
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    outline = centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    mask = np.zeros((height, width), np.float32)
    cv2.fillPoly(mask, [outline.astype(np.int32)], 1.0)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.8, 2.0)))[..., None]
