"""What an image file says besides its pixels, made true for the upright picture."""

from __future__ import annotations

from dataclasses import replace

from deblur_cli.imaging import xmp
from deblur_cli.imaging.exif import EMPTY, UPRIGHT, DamagedExifError, ExifBlock
from deblur_cli.imaging.icc import adobe_rgb
from deblur_cli.imaging.photo import Metadata

_SEPARATOR = "; "
_SIDEWAYS = range(5, 9)
_MAX_DPI = 65535


def upright_metadata(stored: Metadata, size: tuple[int, int]) -> tuple[Metadata, int]:
    """Metadata of the upright picture, and the EXIF orientation of the stored one.

    Previews of the picture as it was are left out. A picture that only EXIF calls Adobe RGB gets
    that profile. A damaged EXIF block stays as it is.

    Args:
        stored: what the file says.
        size: (width, height) of the pixels as they lie in the file.
    """
    exif = _opened(stored.exif)
    orientation = exif.orientation if exif else UPRIGHT
    is_sideways = orientation in _SIDEWAYS
    width, height = size[::-1] if is_sideways else size
    if exif:
        exif.describe_upright(width, height)
        exif.drop_thumbnail()
    packet = xmp.without_thumbnails(stored.xmp) if stored.xmp else stored.xmp
    if packet and orientation != UPRIGHT:
        packet = xmp.describe_upright(packet, width, height)
    return replace(
        stored,
        exif=exif.to_bytes() if exif else stored.exif,
        icc=stored.icc or (adobe_rgb() if exif and exif.is_adobe_rgb else None),
        xmp=packet,
        dpi=_upright_dpi(stored.dpi, is_sideways),
    ), orientation


def signed_metadata(metadata: Metadata, software: str) -> Metadata:
    """The metadata with a program named in the EXIF tag `Software`, before those it names already.

    A damaged EXIF block stays as it is.
    """
    exif = _opened(metadata.exif or EMPTY)
    if exif is None or exif.software == (names := joined(software, exif.software)):
        return metadata
    exif.software = names
    return replace(metadata, exif=exif.to_bytes())


def joined(software: str, known: str) -> str:
    """Names of programs, the latest first; no name stands there twice."""
    names = dict.fromkeys([software, *known.split(_SEPARATOR)])
    return _SEPARATOR.join(name for name in names if name)


def _opened(block: bytes | None) -> ExifBlock | None:
    """The block open for changes; None where there is none or it is damaged."""
    try:
        return ExifBlock(block) if block else None
    except DamagedExifError:
        return None


def _upright_dpi(dpi: tuple[float, float] | None, is_sideways: bool) -> tuple[float, float] | None:
    if dpi is None or not all(1 <= value <= _MAX_DPI for value in dpi):
        return None
    return dpi[::-1] if is_sideways else dpi
