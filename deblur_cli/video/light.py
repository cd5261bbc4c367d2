"""What a video with a high dynamic range says of the screen it was graded on, and of its light."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from deblur_cli.video.sidedata import side_data_of

if TYPE_CHECKING:
    import av

_CHROMATICITY_UNIT = 50_000
_LUMINANCE_UNIT = 10_000
_PARAMETERS = {
    "libx264": ("x264-params", "mastering-display", "cll"),
    "libx265": ("x265-params", "master-display", "max-cll"),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light"),
}


@dataclass(frozen=True)
class Mastering:
    """SMPTE ST 2086: chromaticities (x, y) of the screen, and its luminance in cd/m²."""

    red: tuple[Fraction, Fraction]
    green: tuple[Fraction, Fraction]
    blue: tuple[Fraction, Fraction]
    white: tuple[Fraction, Fraction]
    darkest: Fraction
    brightest: Fraction


@dataclass(frozen=True)
class Light:
    """Static metadata; content light is CTA-861.3: the brightest pixel and frame mean in cd/m²."""

    mastering: Mastering | None = None
    content: tuple[int, int] | None = None

    @classmethod
    def of(cls, frame: av.video.frame.VideoFrame) -> Light:
        """What a decoded frame carries."""
        found = side_data_of(frame)
        mastering = found.get("MASTERING_DISPLAY_METADATA")
        content = found.get("CONTENT_LIGHT_LEVEL")
        return cls(
            None if mastering is None else _mastering(mastering),
            None if content is None else struct.unpack("=2I", content[:8]),
        )

    def parameters(self, encoder: str) -> tuple[str, str]:
        """The option by which an encoder takes it, and the text; empty where there is none."""
        if encoder not in _PARAMETERS or not (self.mastering or self.content):
            return "", ""
        option, mastering, content = _PARAMETERS[encoder]
        in_units = encoder != "libsvtav1"
        parts = []
        if self.mastering is not None:
            parts.append(f"{mastering}={_text_of(self.mastering, in_units)}")
        if self.content is not None:
            parts.append(f"{content}={self.content[0]},{self.content[1]}")
        return option, ":".join(parts)


def _mastering(data: bytes) -> Mastering | None:
    """libavutil's AVMasteringDisplayMetadata: ten ratios, and whether each kind is there."""
    *ratios, has_primaries, has_luminance = struct.unpack("=20iii", data[:88])
    if not (has_primaries and has_luminance and all(ratios[1::2])):
        return None
    values = [Fraction(top, bottom) for top, bottom in zip(ratios[::2], ratios[1::2], strict=True)]
    red, green, blue, white = zip(values[:8:2], values[1:8:2], strict=True)
    return Mastering(red, green, blue, white, values[8], values[9])


def _text_of(screen: Mastering, in_units: bool) -> str:
    """Encoders take whole units of 0.00002 and 0.0001 cd/m², or decimals."""

    def pair(values: tuple[Fraction, Fraction], unit: int) -> str:
        if in_units:
            return ",".join(str(round(value * unit)) for value in values)
        return ",".join(f"{float(value):.5f}" for value in values)

    corners = {"G": screen.green, "B": screen.blue, "R": screen.red, "WP": screen.white}
    told = "".join(f"{name}({pair(xy, _CHROMATICITY_UNIT)})" for name, xy in corners.items())
    return told + f"L({pair((screen.brightest, screen.darkest), _LUMINANCE_UNIT)})"
