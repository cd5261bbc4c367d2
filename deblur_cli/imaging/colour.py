"""What the samples of a photo mean: linear light of sRGB's primaries, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from deblur_cli.imaging.photo import Image

Floats: TypeAlias = npt.NDArray[np.float32]
"""`(H, W, 3)`. As linear light: 0 is black, 1 is sRGB's white; wide gamuts go below 0 and beyond 1,
and nothing is clipped."""


class ColourSpace(Protocol):
    """Meaning of samples of one dtype."""

    def to_linear(self, pixels: Image) -> Floats:
        """Linear light of `(H, W, 3)` samples of that dtype."""
        ...

    def shifted(self, pixels: Image, change: Floats) -> Floats:
        """The samples after a change of their light, not rounded and perhaps out of range.

        Where the change is 0 they are the same, however badly the profile inverts.
        """
        ...


@dataclass(frozen=True)
class Linear:
    """float32 samples that are linear light themselves."""

    def to_linear(self, pixels: Image) -> Floats:
        """The samples."""
        return pixels.astype(np.float32, copy=False)

    def shifted(self, pixels: Image, change: Floats) -> Floats:
        """The sum."""
        return self.to_linear(pixels) + change


@dataclass(frozen=True)
class Shaper:
    """A curve for each channel, then a matrix: the usual kind of profile, for integer samples.

    Attributes:
        curves: `(codes, 3)`, light of each channel's codes, from 0 to 1 and never falling.
        matrix: `(3, 3)`, from the light of the channels (columns) to sRGB's primaries (rows).
        inverse: `(65536, 3)`, the codes of light at the squares of 0 … 1 in equal steps.
    """

    curves: Floats
    matrix: Floats
    inverse: Floats

    def to_linear(self, pixels: Image) -> Floats:
        """Linear light of the samples."""
        return _by_channel(self.curves, pixels) @ self.matrix.T

    def shifted(self, pixels: Image, change: Floats) -> Floats:
        """The samples after a change of their light."""
        light = _by_channel(self.curves, pixels) + change @ self._to_channels
        return pixels + (self._codes(light) - _by_channel(self._codes_of_curves, pixels))

    @cached_property
    def _to_channels(self) -> Floats:
        return np.linalg.inv(self.matrix).T

    @cached_property
    def _codes_of_curves(self) -> Floats:
        return self._codes(self.curves)

    @classmethod
    def of(cls, curves: Floats, matrix: Floats) -> Shaper:
        """The shaper of such curves."""
        inverse = np.stack([_inverse(curve) for curve in curves.T], axis=-1)
        return cls(curves, matrix, inverse.astype(np.float32))

    def _codes(self, light: Floats) -> Floats:
        return _by_channel(self.inverse, _roots(light))


def encode_srgb(linear: Floats) -> npt.NDArray[np.uint16]:
    """sRGB of 16 bits, clipped to its gamut, to a code; what is not a number becomes black."""
    codes: npt.NDArray[np.uint16] = _srgb_codes()[_roots(np.nan_to_num(linear))]
    return codes


def decode_srgb(pixels: npt.NDArray[Any]) -> Floats:
    """Linear light of sRGB of 16 bits, by IEC 61966-2-1."""
    light: Floats = _srgb_curve()[pixels]
    return light


@lru_cache(maxsize=1)
def _srgb_curve() -> Floats:
    encoded = np.linspace(0, 1, 65536)
    curved = ((encoded + 0.055) / 1.055) ** 2.4
    return np.asarray(np.where(encoded <= 0.04045, encoded / 12.92, curved), np.float32)


@lru_cache(maxsize=1)
def _srgb_codes() -> npt.NDArray[np.uint16]:
    codes: npt.NDArray[np.uint16] = np.rint(_inverse(_srgb_curve())).astype(np.uint16)
    return codes


def _inverse(curve: Floats) -> npt.NDArray[np.float64]:
    """Places on a rising curve at the squares of 0 … 1 in 65536 steps, as `_roots` counts them.

    So spaced they are dense enough for the steep beginning that curves of gamma have.
    """
    return np.interp(np.linspace(0, 1, 65536) ** 2, curve, np.arange(len(curve)))


def _roots(light: Floats) -> npt.NDArray[np.uint16]:
    places = np.sqrt(light.clip(0, 1)) * np.float32(65535) + np.float32(0.5)
    nearest: npt.NDArray[np.uint16] = places.astype(np.uint16)
    return nearest


def _by_channel(table: Floats, places: Image) -> Floats:
    """Entries of a `(N, 3)` table, each channel from its own column."""
    return np.stack([table[:, i][places[..., i]] for i in range(3)], axis=-1)
