"""ICC profiles, by Little CMS: what the samples of a photo mean according to one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from deblur_cli.imaging.colour import ColourSpace, Floats, Shaper, encode_srgb
from deblur_cli.imaging.photo import Image

_D65 = (0.3127, 0.3290, 1.0)
_BT709 = (0.64, 0.33, 1.0, 0.30, 0.60, 1.0, 0.15, 0.06, 1.0)
_MODELS = {b"RGB ": "rgb", b"GRAY": "gray"}
_JUST_NOTICEABLE = 1 / 255
_ADDITIVE_WITHIN = 2e-4


class BadProfileError(ValueError):
    """An ICC profile that cannot be used for a photo; the text says why."""


@dataclass(frozen=True)
class Managed:
    """Any profile, each pixel through Little CMS: for tables and floats, and slower.

    Attributes:
        icc: the profile.
        model: `rgb` or `gray`, its device colours.
        full_scale: the sample that means 1.
    """

    icc: bytes
    model: str
    full_scale: int

    def to_linear(self, pixels: Image) -> Floats:
        """Linear light of the samples."""
        device = pixels.astype(np.float32) / np.float32(self.full_scale)
        device = device[..., 0] if self.model == "gray" else device
        return _transform(device, self.icc, self.model, linear_srgb(), "rgb")

    def shifted(self, pixels: Image, change: Floats) -> Floats:
        """The samples after a change of their light."""
        light = self.to_linear(pixels)
        return pixels + (self._codes(light + change) - self._codes(light))

    def _codes(self, light: Floats) -> Floats:
        device = _transform(light, linear_srgb(), "rgb", self.icc, self.model)
        device = device[..., None] if self.model == "gray" else device
        return np.broadcast_to(device * np.float32(self.full_scale), light.shape)


@lru_cache(maxsize=8)
def colour_space(icc: bytes, dtype: np.dtype[Any], greyscale: bool) -> ColourSpace | None:
    """What samples of this dtype mean by an ICC profile; None for integers that mean sRGB.

    Args:
        icc: the profile.
        dtype: uint8, uint16 or float32.
        greyscale: the picture has one channel, three times; only then the profile may be of grey.

    Raises:
        BadProfileError: the profile is damaged, or cannot describe the picture.
    """
    model = _MODELS.get(icc[16:20])
    if model is None or (model == "gray" and not greyscale):
        kind = icc[16:20].decode("latin-1").strip()
        raise BadProfileError(f"is for {kind} pictures" if kind.isalnum() else "is damaged")
    full_scale = 1 if dtype == np.float32 else int(np.iinfo(dtype).max)
    exact = Managed(icc, model, full_scale)
    black = np.zeros((1, 1, 3), dtype)
    exact.shifted(black, np.zeros_like(black, np.float32))
    if dtype == np.float32:
        return exact
    return None if _is_srgb(exact) else _as_shaper(exact, dtype) or exact


@lru_cache(maxsize=1)
def linear_srgb() -> bytes:
    """ICC profile of linear light with sRGB's primaries and white."""
    import imagecodecs

    return bytes(imagecodecs.cms_profile("rgb", whitepoint=_D65, primaries=_BT709, gamma=1.0))


@lru_cache(maxsize=1)
def adobe_rgb() -> bytes:
    """ICC profile of the colours of Adobe RGB (1998)."""
    import imagecodecs

    return bytes(imagecodecs.cms_profile("adobergb"))


def _transform(pixels: Any, source: bytes, model: str, target: bytes, target_model: str) -> Floats:
    import imagecodecs

    try:
        result: Floats = imagecodecs.cms_transform(
            pixels,
            source,
            target,
            colorspace=model,
            outcolorspace=target_model,
            outdtype="float32",
            intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        )
    except imagecodecs.CmsError as error:
        raise BadProfileError("is damaged") from error
    return result


def _is_srgb(space: Managed) -> bool:
    """Whether no colour differs visibly from what it means in sRGB."""
    levels = np.linspace(0, 65535, 9).round().astype(np.uint16)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    if space.model == "gray":
        colours = np.repeat(levels[None, :, None], 3, axis=2)
    light = Managed(space.icc, space.model, 65535).to_linear(colours)
    difference = encode_srgb(light).astype(np.float32) - colours
    return bool(np.abs(difference).max() < _JUST_NOTICEABLE * 65535)


def _as_shaper(space: Managed, dtype: np.dtype[Any]) -> Shaper | None:
    """The curves and the matrix of a profile; None if it has other parts."""
    codes = np.arange(space.full_scale + 1, dtype=dtype)
    if space.model == "gray":
        light = space.to_linear(np.repeat(codes[None, :, None], 3, axis=2))[0]
        return _shaper(light, np.eye(3, dtype=np.float32))
    alone = np.zeros((3, len(codes), 3), dtype)
    for channel in range(3):
        alone[channel, :, channel] = codes
    light = space.to_linear(alone)
    mixed = np.random.default_rng(0).integers(len(codes), size=(1, 256, 3))
    sums = sum(light[channel][mixed[..., channel]] for channel in range(3))
    if not np.allclose(space.to_linear(mixed.astype(dtype)), sums, rtol=0, atol=_ADDITIVE_WITHIN):
        return None
    matrix = light[:, -1].T
    strongest = np.abs(matrix).argmax(axis=0)
    curves = [light[channel][:, strongest[channel]] for channel in range(3)]
    return _shaper(np.stack(curves, axis=-1), matrix)


def _shaper(curves: Floats, matrix: Floats) -> Shaper | None:
    """The shaper of curves that are still to be scaled; None if it could not be inverted."""
    with np.errstate(divide="ignore", invalid="ignore"):
        curves = curves / curves[-1]
    never_falls = (np.diff(curves, axis=0) >= -_ADDITIVE_WITHIN).all()
    if not never_falls or np.linalg.matrix_rank(matrix) < 3:
        return None
    return Shaper.of(np.maximum.accumulate(curves, axis=0), matrix)
