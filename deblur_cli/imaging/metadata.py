"""Collects what an image file says besides its pixels, made true for the upright picture."""

from __future__ import annotations

import re
from dataclasses import dataclass

import PIL.Image

from deblur_cli.imaging import tiff
from deblur_cli.imaging.exif import UPRIGHT, DamagedExifError, ExifBlock
from deblur_cli.imaging.photo import Metadata

_EXIF_PREFIX = b"Exif\0\0"
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[2-8]")
_SIDEWAYS = range(5, 9)
_MAX_DPI = 65535


@dataclass(frozen=True)
class Reading:
    """Metadata of the upright picture, the EXIF orientation of the stored one, and what is lost."""

    metadata: Metadata
    orientation: int
    notes: tuple[str, ...]


def read_metadata(image: PIL.Image.Image) -> Reading:
    """Metadata of a loaded Pillow image, whose pixels still lie as they do in the file."""
    exif, orientation = _upright_exif(_stored_exif(image), image.size)
    xmp = image.info.get("xmp")
    return Reading(
        Metadata(
            exif=exif,
            icc=image.info.get("icc_profile") or None,
            xmp=_upright_xmp(xmp) if xmp and orientation != UPRIGHT else xmp,
            dpi=_resolution(image, orientation),
        ),
        orientation,
        _lost_content(image),
    )


def _stored_exif(image: PIL.Image.Image) -> bytes | None:
    stored = tiff.read_exif(image) if image.format == "TIFF" else image.info.get("exif")
    block: bytes = stored or b""
    return block.removeprefix(_EXIF_PREFIX) or None


def _upright_exif(block: bytes | None, size: tuple[int, int]) -> tuple[bytes | None, int]:
    """The corrected block and the orientation it had; a damaged block stays as it is."""
    if block is None:
        return None, UPRIGHT
    try:
        exif = ExifBlock(block)
    except DamagedExifError:
        return block, UPRIGHT
    orientation = exif.orientation
    width, height = size[::-1] if orientation in _SIDEWAYS else size
    exif.describe_upright(width, height)
    exif.drop_thumbnail()
    return exif.to_bytes(), orientation


def _upright_xmp(xmp: bytes) -> bytes:
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def _resolution(image: PIL.Image.Image, orientation: int) -> tuple[float, float] | None:
    dpi = tuple(float(value) for value in image.info.get("dpi", ()))
    if len(dpi) != 2 or not all(1 <= value <= _MAX_DPI for value in dpi):
        return None
    return (dpi[1], dpi[0]) if orientation in _SIDEWAYS else (dpi[0], dpi[1])


def _lost_content(image: PIL.Image.Image) -> tuple[str, ...]:
    lost = []
    if "mp" in image.info:
        lost.append("its further pictures (stereo, depth or gain map) are left out")
    if image.mode in ("P", "PA"):
        lost.append("its palette becomes full colour")
    return tuple(lost)
