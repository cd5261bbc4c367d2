"""Paths that a picture takes across the sensor during exposure, and the blur kernels they draw.

Every path is centred on its centroid. A path centred elsewhere, say at mid-exposure, shifts the
blurred picture against the truth by an amount that the picture does not tell, and a network
trained on such pairs learns little but to hedge.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Path2D = npt.NDArray[np.float64]
"""``(n, 2)`` positions (x, y) in pixels at equal time steps, of mean zero."""

Kernel = npt.NDArray[np.float32]
"""``(2r+1, 2r+1)`` weights of sum one."""

SAMPLES_PER_PIXEL = 2
FEWEST_SAMPLES = 15
INERTIA_STEPS = 64


def camera_path(rng: np.random.Generator, extent: float, straight_share: float = 0.6) -> Path2D:
    """A random path: a line or arc with probability ``straight_share``, else a tremor.

    Args:
        rng: source of randomness.
        extent: longer side of the path's bounding box, in pixels.
        straight_share: probability of a line or shallow arc.

    Returns:
        About two samples per pixel of extent, at equal time steps.
    """
    samples = max(FEWEST_SAMPLES, round(SAMPLES_PER_PIXEL * extent))
    draw = arc_path if rng.random() < straight_share else tremor_path
    return fit_extent(draw(rng, samples), extent)


def arc_path(rng: np.random.Generator, samples: int) -> Path2D:
    """A nearly straight line in a random direction, slightly bent, at slightly uneven speed."""
    time = np.linspace(-0.5, 0.5, samples)
    along = time + rng.normal(0, 0.08) * np.sin(2 * np.pi * time) + rng.normal(0, 0.15) * time**2
    across = rng.normal(0, 0.5) * time**2
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * along - sin * across, sin * along + cos * across], axis=1)


def tremor_path(rng: np.random.Generator, samples: int) -> Path2D:
    """A hand's tremor: a velocity that drifts by inertia and now and then recoils."""
    agitation = rng.uniform(0.01, 0.18)
    start = rng.uniform(0, 2 * np.pi)
    impulses = agitation * rng.normal(size=(INERTIA_STEPS, 2))
    velocity = np.array([np.cos(start), np.sin(start)]) + np.cumsum(impulses, axis=0)
    recoils = rng.random(INERTIA_STEPS) < 0.01
    velocity *= np.cumprod(np.where(recoils, -rng.uniform(0.5, 1.0), 1.0))[:, None]
    steps = np.cumsum(velocity, axis=0)
    time = np.linspace(0, INERTIA_STEPS - 1, samples)
    return np.stack([np.interp(time, np.arange(INERTIA_STEPS), axis) for axis in steps.T], axis=1)


def fit_extent(path: Path2D, extent: float) -> Path2D:
    """The path scaled to a bounding box of longer side ``extent`` and moved to its centroid."""
    span = float(np.ptp(path, axis=0).max())
    scaled: Path2D = path * (extent / max(span, 1e-9))
    return centred(scaled)


def centred(path: Path2D) -> Path2D:
    """The path moved so that its mean position over time is the origin."""
    moved: Path2D = path - path.mean(axis=0)
    return moved


def blur_kernel(path: Path2D) -> Kernel:
    """The kernel a point of light draws along a path: sum one, centroid that of the path.

    Each sample is shared bilinearly among its four neighbouring pixels, which keeps the centroid.
    """
    reach = int(np.ceil(np.abs(path).max())) + 1
    size = 2 * reach + 1
    corner = np.floor(path).astype(np.int64)
    fraction = path - corner
    kernel = np.zeros(size * size)
    for dx in (0, 1):
        for dy in (0, 1):
            share_x = fraction[:, 0] if dx else 1 - fraction[:, 0]
            share_y = fraction[:, 1] if dy else 1 - fraction[:, 1]
            pixel = (corner[:, 1] + dy + reach) * size + corner[:, 0] + dx + reach
            kernel += np.bincount(pixel, share_x * share_y, minlength=size * size)
    return (kernel / len(path)).reshape(size, size).astype(np.float32)
