"""Defocus blur for a sharp photo: disk and polygon apertures over layers of depth."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from deblur_cli.data.camera import Camera, Picture
from deblur_cli.data.convolution import Light, convolve
from deblur_cli.data.distributions import LogNormal
from deblur_cli.data.masks import object_mask, smooth_mask
from deblur_cli.data.trajectory import Kernel

SUBPIXELS = 5


@dataclass(frozen=True)
class DefocusBlur:
    """A distribution of defocus blur; calling it blurs one photo."""

    radius: LogNormal = field(default=LogNormal(median=2.5, sigma=0.6, low=0.6, high=9))
    """Radius of the circle of confusion (px)."""
    polygon_share: float = 0.5
    """Share of apertures with 5 to 8 straight blades; the rest are round."""
    soft_share: float = 0.4
    """Share of apertures whose edge is softened, as by lens aberrations."""
    layers_share: float = 0.75
    """Share of photos with two layers of depth; the rest are equally blurred all over."""
    focused_share: float = 0.4
    """Share of second layers that are in focus."""
    cut_share: float = 0.4
    """Share of layers cut out like an object; the rest pass smoothly into each other."""
    camera: Camera = field(default=Camera(linear_share=1.0))
    """Response, noise and JPEG."""

    def __call__(self, rng: np.random.Generator, sharp: Picture) -> tuple[Picture, Picture]:
        """Blur one photo.

        Args:
            rng: source of randomness; equal states give equal results.
            sharp: ``(H, W, 3)`` RGB uint8 of any size; its border is continued by mirroring.

        Returns:
            The blurred photo and its truth, both of the shape and dtype of ``sharp``.
        """
        response = self.camera.response(rng)
        light = response.to_light(sharp)
        radius = self.radius(rng)
        blurred = convolve(light, self._aperture(rng, radius))
        if rng.random() < self.layers_share:
            other = light
            if rng.random() >= self.focused_share:
                second = min(radius * rng.uniform(0.2, 1.5), self.radius.high)
                other = convolve(light, self._aperture(rng, max(second, self.radius.low)))
            blurred = other + self._layer(rng, light) * (blurred - other)
        return self.camera.record(rng, blurred, response), sharp

    def _aperture(self, rng: np.random.Generator, radius: float) -> Kernel:
        blades = int(rng.integers(5, 9)) if rng.random() < self.polygon_share else 0
        kernel = aperture_kernel(radius, blades, rotation=rng.uniform(0, 2 * np.pi))
        if rng.random() < self.soft_share:
            kernel = softened(kernel, rng.uniform(0.4, 0.5 + radius / 4))
        return kernel

    def _layer(self, rng: np.random.Generator, light: Light) -> Light:
        height, width = light.shape[:2]
        if rng.random() < self.cut_share:
            return object_mask(rng, height, width)
        return smooth_mask(rng, height, width, steepness=rng.choice([5.0, 60.0], p=[0.7, 0.3]))


def aperture_kernel(radius: float, blades: int = 0, rotation: float = 0.0) -> Kernel:
    """The image of a point out of focus: a disk or a regular polygon, sum one.

    Args:
        radius: of the disk, in pixels; a polygon gets the area of that disk.
        blades: sides of the polygon, 0 for a disk.
        rotation: of the polygon, in radians.
    """
    reach = int(np.ceil(1.2 * radius)) + 1
    size = 2 * reach + 1
    axis = (np.arange(size * SUBPIXELS) + 0.5) / SUBPIXELS - size / 2
    x, y = np.meshgrid(axis, axis)
    distance = np.hypot(x, y)
    if blades:
        distance = _polygon_distance(x, y, distance, blades, rotation)
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
    grown = np.pad(kernel, int(np.ceil(3 * sigma)))
    soft = cv2.GaussianBlur(grown, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(soft / soft.sum(), dtype=np.float32)
