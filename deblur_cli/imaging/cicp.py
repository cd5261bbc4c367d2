"""Colours told by code points (ITU-T H.273) instead of an ICC profile."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from deblur_cli.imaging.formats.isobmff import find_boxes
from deblur_cli.imaging.source import UnsupportedError

_HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
_WIDE_PRIMARIES = {
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_D65 = (0.3127, 0.3290, 1.0)


def profile_of(content: bytes) -> bytes | None:
    """ICC profile of the wide gamut that the `nclx` box of a HEIF or AVIF file states.

    None for the gamut of sRGB, and where nothing is stated.

    Raises:
        UnsupportedError: the picture has a high dynamic range.
    """
    stated = [box for box in find_boxes(content, b"colr") if box[:4] == b"nclx" and len(box) >= 8]
    if not stated:
        return None
    primaries, transfer = struct.unpack_from(">HH", stated[0], 4)
    return profile(primaries, transfer)


def profile(primaries: int, transfer: int) -> bytes | None:
    """ICC profile with sRGB's curve for code points; None for sRGB's own primaries.

    Raises:
        UnsupportedError: the transfer function is one of high dynamic range.
    """
    if transfer in _HDR_TRANSFERS:
        raise UnsupportedError(f"HDR ({_HDR_TRANSFERS[transfer]}) pictures")
    if primaries not in _WIDE_PRIMARIES:
        return None
    from imagecodecs import cms_profile

    return bytes(
        cms_profile(
            "rgb",
            whitepoint=_D65,
            primaries=_WIDE_PRIMARIES[primaries],
            transferfunction=_srgb_curve(),
        )
    )


def _srgb_curve() -> npt.NDArray[np.uint16]:
    encoded = np.linspace(0, 1, 1024)
    curved = ((encoded + 0.055) / 1.055) ** 2.4
    linear = np.where(encoded <= 0.04045, encoded / 12.92, curved)
    return np.asarray(np.rint(linear * 65535).astype(np.uint16))
