"""Defocus blur for a sharp photo: disk, polygon and cat-eye apertures over layers of depth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from deblur_cli.data.apertures import CatEye, aperture_kernel, cat_eye_kernel, softened
from deblur_cli.data.camera import Camera, Picture
from deblur_cli.data.convolution import Light, convolve, convolve_varying
from deblur_cli.data.distributions import LogNormal
from deblur_cli.data.masks import object_mask, smooth_mask
from deblur_cli.data.trajectory import Kernel

NODES = 5
"""Places along each side of a photo whose cat eyes are computed; between them they mix."""


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
    cat_eye_share: float = 0.2
    """Share of photos taken with the aperture wide open: it is round, and the lens barrel cuts it
    to a cat's eye away from the picture's centre (`CatEye`)."""
    cat_eye: tuple[float, float] = (0.3, 1.2)
    """Range of the cut's strength at the picture's corner: distance of two discs, in radii."""
    window: tuple[float, float] = (0.25, 1.0)
    """Range of the side of the picture that these photos are cut from, as the share of it that
    they show; where they are cut is random."""
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
        wide_open = rng.random() < self.cat_eye_share
        cat_eye = self._cat_eye(rng, *sharp.shape[:2]) if wide_open else None
        radius = self.radius(rng)
        blurred = self._out_of_focus(rng, light, radius, cat_eye)
        if rng.random() < self.layers_share:
            other = light
            if rng.random() >= self.focused_share:
                second = min(radius * rng.uniform(0.2, 1.5), self.radius.high)
                other = self._out_of_focus(rng, light, max(second, self.radius.low), cat_eye)
            blurred = other + self._layer(rng, light) * (blurred - other)
        return self.camera.record(rng, blurred, response), sharp

    def _out_of_focus(
        self, rng: np.random.Generator, light: Light, radius: float, cat_eye: CatEye | None
    ) -> Light:
        if cat_eye is None:
            return convolve(light, self._aperture(rng, radius))
        sigma = self._softness(rng, radius)

        def kernel(x: float, y: float) -> Kernel:
            return softened(cat_eye_kernel(radius, cat_eye.offset(x, y)), sigma)

        return convolve_varying(light, kernel, NODES)

    def _aperture(self, rng: np.random.Generator, radius: float) -> Kernel:
        blades = int(rng.integers(5, 9)) if rng.random() < self.polygon_share else 0
        kernel = aperture_kernel(radius, blades, rotation=rng.uniform(0, 2 * np.pi))
        return softened(kernel, self._softness(rng, radius))

    def _softness(self, rng: np.random.Generator, radius: float) -> float:
        """Standard deviation of an aperture's soft edge (px); 0 for a hard one."""
        return rng.uniform(0.4, 0.5 + radius / 4) if rng.random() < self.soft_share else 0.0

    def _cat_eye(self, rng: np.random.Generator, height: int, width: int) -> CatEye:
        """The lens of a picture that this photo is a random window of."""
        share = rng.uniform(*self.window)
        whole = np.array([width, height]) / share
        corner = rng.random(2) * (whole - (width, height))
        axis_x, axis_y = whole / 2 - corner
        return CatEye(
            strength=rng.uniform(*self.cat_eye),
            axis=(axis_x, axis_y),
            corner=float(np.hypot(*whole) / 2),
        )

    def _layer(self, rng: np.random.Generator, light: Light) -> Light:
        height, width = light.shape[:2]
        if rng.random() < self.cut_share:
            return object_mask(rng, height, width)
        return smooth_mask(rng, height, width, steepness=rng.choice([5.0, 60.0], p=[0.7, 0.3]))
