"""Motion blur for a sharp photo: camera shake, moving objects, rotation, zoom and bright lights."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from deblur_cli.data.camera import Camera, Picture
from deblur_cli.data.convolution import Light, convolve
from deblur_cli.data.distributions import LogNormal
from deblur_cli.data.masks import object_mask, smooth_mask
from deblur_cli.data.trajectory import (
    SAMPLES_PER_PIXEL,
    Path2D,
    blur_kernel,
    camera_path,
    centred,
)

HIGHLIGHT = 0.9
"""Light above which a pixel may be a clipped lamp or reflection."""


@dataclass(frozen=True)
class MotionBlur:
    """A distribution of motion blur; calling it blurs one photo.

    The truth stays where the blur's centroid is, so nothing in a pair is shifted.
    """

    extent: LogNormal = field(default=LogNormal(median=13, sigma=0.6, low=2.5, high=45))
    """Longer side of the path's bounding box (px)."""
    straight_share: float = 0.6
    """Share of paths that are lines or shallow arcs; the rest are tremors with inertia."""
    affine_share: float = 0.4
    """Share of photos blurred by a turning and zooming camera; the rest by kernels."""
    turn: float = 1.6
    """Largest extent of rotation, as a share of the path's extent at the photo's longer side."""
    zoom: float = 0.9
    """Largest extent of zoom, as a share of the path's extent at the photo's longer side."""
    mixed_share: float = 0.55
    """Share of kernel-blurred photos in which two kernels mix smoothly over the picture."""
    object_share: float = 0.35
    """Share of kernel-blurred photos in which an object moves on its own, occluding the rest."""
    still_object_share: float = 0.3
    """Share of these objects that stay almost still while the background moves."""
    lights_share: float = 0.05
    """Share of photos in which clipped highlights are brighter than white and draw streaks."""
    camera: Camera = field(default=Camera())
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
        light, truth = response.to_light(sharp), sharp
        if rng.random() < self.lights_share:
            light = brighten_highlights(light, gain=rng.uniform(1.5, 6.0))
            truth = response.to_picture(light)
        extent = self.extent(rng)
        blur = self._turn_and_zoom if rng.random() < self.affine_share else self._shake
        return self.camera.record(rng, blur(rng, light, extent), response), truth

    def _shake(self, rng: np.random.Generator, light: Light, extent: float) -> Light:
        height, width = light.shape[:2]
        path = camera_path(rng, extent, self.straight_share)
        blurred = convolve(light, blur_kernel(path))
        if rng.random() < self.mixed_share:
            other = convolve(light, blur_kernel(self._related_path(rng, path, extent)))
            mask = smooth_mask(rng, height, width, steepness=rng.uniform(3, 10))
            blurred = other + mask * (blurred - other)
        if rng.random() < self.object_share:
            still = rng.random() < self.still_object_share
            path = 0.15 * path if still else camera_path(rng, self.extent(rng), self.straight_share)
            blurred = with_moving_object(blurred, light, object_mask(rng, height, width), path)
        return blurred

    def _related_path(self, rng: np.random.Generator, path: Path2D, extent: float) -> Path2D:
        """A path like the given one, as another part of the picture takes under the same shake."""
        deviation = camera_path(rng, extent, self.straight_share)
        related = rng.uniform(0.4, 1.3) * path + rng.uniform(0.1, 0.6) * deviation
        return centred(related * min(1.0, 0.5 * self.extent.high / np.abs(related).max()))

    def _turn_and_zoom(self, rng: np.random.Generator, light: Light, extent: float) -> Light:
        height, width = light.shape[:2]
        shift, turn, zoom = (
            rng.uniform(least, most) * self._coarse_path(rng, extent)
            for least, most in ((0.5, 1.0), (0.0, self.turn), (0.0, self.zoom))
        )
        side = max(height, width)
        centre = rng.uniform(0.1, 0.9, 2) * (width, height)
        total: Light = np.zeros_like(light)
        for offset, angle, scale in zip(
            shift, turn[:, 0] / side, 1 + zoom[:, 0] / side, strict=True
        ):
            cos, sin = scale * np.cos(angle), scale * np.sin(angle)
            linear = np.array([[cos, -sin], [sin, cos]])
            matrix = np.column_stack([linear, centre - linear @ centre + offset])
            warped = cv2.warpAffine(
                light, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101
            )
            cv2.accumulate(warped, total)
        return np.divide(total, len(shift), dtype=np.float32)

    def _coarse_path(self, rng: np.random.Generator, extent: float) -> Path2D:
        """A path with about one sample per pixel, enough where whole pictures are averaged."""
        return centred(camera_path(rng, extent, self.straight_share)[::SAMPLES_PER_PIXEL])


def brighten_highlights(light: Light, gain: float) -> Light:
    """Light whose values near white rise by up to ``gain``, as unclipped lamps would be."""
    excess = np.clip((light.min(axis=2, keepdims=True) - HIGHLIGHT) / (1 - HIGHLIGHT), 0, 1)
    return np.asarray(light * (1 + (gain - 1) * excess), dtype=np.float32)


def with_moving_object(background: Light, light: Light, mask: Light, path: Path2D) -> Light:
    """The background with the masked part of ``light`` moving along its own path before it."""
    kernel = blur_kernel(path)
    cover = convolve(mask[..., 0], kernel)[..., None]
    return background * (1 - cover) + convolve(light * mask, kernel)


EASY_MOTION = MotionBlur(
    extent=LogNormal(median=7, sigma=0.5, low=3, high=14),
    straight_share=1.0,
    affine_share=0.0,
    mixed_share=0.0,
    object_share=0.0,
    lights_share=0.0,
    camera=Camera(noise_share=0.0, jpeg_share=0.0),
)
"""One straight or bent blur of 3 to 14 px over the whole photo: where a curriculum begins."""
