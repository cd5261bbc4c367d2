"""GoPro-style blur for a sharp photo: the mean of a few frames of a high-speed, hand-held video."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from deblur_cli.data.camera import Camera, Picture
from deblur_cli.data.convolution import Light
from deblur_cli.data.distributions import LogNormal
from deblur_cli.data.masks import object_mask, smooth_mask

Times = npt.NDArray[np.float64]
"""``(frames, n)`` from -1, the middle of the first frame, to 1, that of the last."""

STEP = 1.5
"""Distance (px) between the views that are averaged within a frame."""

MOST_STEPS = 4
"""Views averaged within a frame, at most."""


class Motion(NamedTuple):
    """A camera's way: polynomials of time without constant, so that nothing moves at time 0."""

    shift: npt.NDArray[np.float64]
    """``(3, 2)`` factors (x, y) of time, its square and its cube (px)."""
    turn: npt.NDArray[np.float64]
    """``(3,)`` likewise (radians)."""
    zoom: npt.NDArray[np.float64]
    """``(3,)`` likewise (relative growth)."""
    centre: npt.NDArray[np.float64]
    """``(x, y)`` that stays in place under turn and zoom."""

    def view(self, time: float) -> npt.NDArray[np.float64]:
        """The ``(2, 3)`` affine map of the picture onto its view at a time."""
        powers = time ** np.arange(1, 4)
        angle, scale = powers @ self.turn, 1 + powers @ self.zoom
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]])
        offset = self.centre - linear @ self.centre + powers @ self.shift
        return np.column_stack([linear, offset])

    def at_depth(self, nearness: float) -> Motion:
        """The same way as another distance sees it: shifts differ, turn and zoom do not."""
        return self._replace(shift=nearness * self.shift)


@dataclass(frozen=True)
class HandheldVideo:
    """A distribution of the blur that averaged video frames have; calling it blurs one photo.

    The camera shifts, turns and zooms smoothly, and between frames the shutter is closed for a
    while, so that strong blur is a row of ghosts rather than a streak. The truth is the view in
    the middle of the exposure, as in the data sets that are made from videos.
    """

    extent: LogNormal = field(default=LogNormal(median=14, sigma=0.65, low=2, high=56))
    """Way of the photo during the exposure (px), before bend, turn and zoom."""
    frames: tuple[int, int] = (7, 13)
    """Fewest and most frames of a mean; always an odd number."""
    shutter: tuple[float, float] = (0.05, 1.0)
    """Share of the time from frame to frame for which the shutter is open."""
    bend: float = 0.35
    """Largest part of the way that goes with the square of time, and with its cube."""
    turn: float = 0.8
    """Largest rotation, as a share of the extent at the photo's longer side."""
    zoom: float = 0.5
    """Largest zoom, as a share of the extent at the photo's longer side."""
    depth_share: float = 0.5
    """Share of photos with near and far parts, which move by different amounts."""
    object_share: float = 0.3
    """Share of photos in which an object moves on its own, occluding the rest."""
    soft_share: float = 0.6
    """Share of photos that are softened first: video frames are softer than reduced photos."""
    softness: tuple[float, float] = (0.3, 1.2)
    """Standard deviation of that softening (px)."""
    camera: Camera = field(default=Camera(linear_share=0.25, noise=(0.001, 0.004), jpeg_share=0.1))
    """Response, noise and JPEG."""

    def __call__(self, rng: np.random.Generator, sharp: Picture) -> tuple[Picture, Picture]:
        """Blur one photo.

        Args:
            rng: source of randomness; equal states give equal results.
            sharp: ``(H, W, 3)`` RGB uint8 of any size; its border is continued by mirroring.

        Returns:
            The blurred photo and its truth, both of the shape and dtype of ``sharp``.
        """
        if rng.random() < self.soft_share:
            sharp = np.asarray(cv2.GaussianBlur(sharp, (0, 0), rng.uniform(*self.softness)))
        height, width = sharp.shape[:2]
        response = self.camera.response(rng)
        light = response.to_light(sharp)
        extent = self.extent(rng)
        times = self._times(rng, extent)
        motion = self._motion(rng, extent, height, width)
        blurred = mean_view(light, motion, times)
        if rng.random() < self.depth_share:
            far = mean_view(light, motion.at_depth(rng.uniform(0.3, 0.9)), times)
            near = smooth_mask(rng, height, width, steepness=rng.uniform(3, 30))
            blurred = far + near * (blurred - far)
        if rng.random() < self.object_share:
            motion = self._motion(rng, self.extent(rng), height, width)
            mask = object_mask(rng, height, width)
            covered = mean_view(np.dstack([light * mask, mask]), motion, times)
            blurred = blurred * (1 - covered[..., 3:]) + covered[..., :3]
        return self.camera.record(rng, blurred, response), sharp

    def _times(self, rng: np.random.Generator, extent: float) -> Times:
        fewest, most = self.frames
        frames = 1 + 2 * int(rng.integers(fewest // 2, most // 2 + 1))
        middles, step = np.linspace(-1, 1, frames, retstep=True)
        open_for = rng.uniform(*self.shutter) * step
        steps = int(np.clip(np.ceil(open_for * extent / 2 / STEP), 1, MOST_STEPS))
        within = (np.arange(steps) + 0.5) / steps - 0.5
        return np.asarray(middles[:, None] + open_for * within)

    def _motion(self, rng: np.random.Generator, extent: float, height: int, width: int) -> Motion:
        def bent(shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
            """Factors of a way that is 1 long in the middle's direction."""
            way = rng.standard_normal((3, *shape))
            way /= np.linalg.norm(way.reshape(3, -1), axis=1).reshape(3, *(1 for _ in shape))
            way[1:] *= rng.uniform(0, self.bend, (2, *(1 for _ in shape)))
            return way

        half, side = extent / 2, max(height, width)
        return Motion(
            shift=half * rng.uniform(0.4, 1.0) * bent((2,)),
            turn=half * rng.uniform(0, self.turn) / side * bent(()),
            zoom=half * rng.uniform(0, self.zoom) / side * bent(()),
            centre=rng.uniform(-0.5, 1.5, 2) * (width, height),
        )


def mean_view(light: Light, motion: Motion, times: Times) -> Light:
    """The mean of what a moving camera sees of ``(H, W, C)`` light, borders mirrored."""
    height, width = light.shape[:2]
    total = np.zeros_like(light)
    for time in times.ravel():
        view = cv2.warpAffine(
            light,
            motion.view(float(time)),
            (width, height),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        cv2.accumulate(view, total)
    return np.divide(total, times.size, dtype=np.float32)
