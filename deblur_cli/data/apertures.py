"""Images of a point out of focus: round, polygonal and cat-eye apertures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from deblur_cli.data.trajectory import Kernel

SUBPIXELS = 5


@dataclass(frozen=True)
class CatEye:
    """Mechanical vignetting: away from the optical axis the lens barrel cuts the round aperture.

    What light can pass lies in two discs of equal radius, the iris and the barrel's rim, which
    move apart in proportion to the distance from the axis, along the line to it.
    """

    strength: float
    """Distance of the discs' centres at the picture's corner, in radii: 0.5 leaves 69 % of the
    aperture there, 1 leaves 39 %."""
    axis: tuple[float, float]
    """Where the optical axis meets the photo (x, y in px), possibly outside it."""
    corner: float
    """Distance of the picture's corners from the axis (px)."""

    def offset(self, x: float, y: float) -> tuple[float, float]:
        """From one disc's centre to the other's at a place in the photo (x, y), in radii."""
        scale = self.strength / self.corner
        return scale * (x - self.axis[0]), scale * (y - self.axis[1])


def cat_eye_kernel(radius: float, offset: tuple[float, float]) -> Kernel:
    """The image of a point through two overlapping discs, sum one, centred on its centroid.

    Args:
        radius: of both discs, in pixels.
        offset: (x, y) from one centre to the other, in radii, of less than 2 in length.
    """
    x, y = _subpixel_grid(radius)
    dx, dy = (0.5 * radius * part for part in offset)
    distance = np.maximum(np.hypot(x - dx, y - dy), np.hypot(x + dx, y + dy))
    return _drawn(distance, radius)


def aperture_kernel(radius: float, blades: int = 0, rotation: float = 0.0) -> Kernel:
    """The image of a point out of focus: a disk or a regular polygon, sum one.

    Args:
        radius: of the disk, in pixels; a polygon gets the area of that disk.
        blades: sides of the polygon, 0 for a disk.
        rotation: of the polygon, in radians.
    """
    x, y = _subpixel_grid(radius)
    distance = np.hypot(x, y)
    if blades:
        distance = _polygon_distance(x, y, distance, blades, rotation)
    return _drawn(distance, radius)


def _subpixel_grid(radius: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Coordinates (x, y) about the centre of a kernel that holds an aperture of this radius."""
    size = 2 * int(np.ceil(1.2 * radius)) + 3
    axis = (np.arange(size * SUBPIXELS) + 0.5) / SUBPIXELS - size / 2
    x, y = np.meshgrid(axis, axis)
    return x, y


def _drawn(distance: npt.NDArray[np.float64], radius: float) -> Kernel:
    """The share of each pixel where ``distance`` is below the radius, scaled to sum one."""
    size = len(distance) // SUBPIXELS
    inside = np.clip((radius - distance) * SUBPIXELS + 0.5, 0, 1)
    kernel = inside.reshape(size, SUBPIXELS, size, SUBPIXELS).mean(axis=(1, 3))
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _polygon_distance(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    distance: npt.NDArray[np.float64],
    blades: int,
    rotation: float,
) -> npt.NDArray[np.float64]:
    """Distance scaled so that its level set of value r is the polygon with area pi r^2."""
    sector = 2 * np.pi / blades
    from_side = (np.arctan2(y, x) + rotation) % sector - sector / 2
    apothem = np.sqrt(np.pi / (blades * np.tan(np.pi / blades)))
    return np.asarray(distance * np.cos(from_side) / apothem)


def softened(kernel: Kernel, sigma: float) -> Kernel:
    """The kernel after a Gaussian of standard deviation ``sigma`` (px), grown to hold it."""
    if sigma == 0:
        return kernel
    grown = np.pad(kernel, int(np.ceil(3 * sigma)))
    soft = cv2.GaussianBlur(grown, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(soft / soft.sum(), dtype=np.float32)
