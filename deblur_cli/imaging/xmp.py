"""An XMP packet made true for the upright picture; all it does not touch stays byte for byte."""

from __future__ import annotations

import re

_VALUE = rb"(\s*(?:=\s*[\"']|>)\s*)\d+"
_ORIENTATION = re.compile(rb"(tiff:Orientation)" + _VALUE)
_WIDTH = re.compile(rb"(tiff:ImageWidth|exif:PixelXDimension)" + _VALUE)
_HEIGHT = re.compile(rb"(tiff:ImageLength|exif:PixelYDimension)" + _VALUE)
_THUMBNAILS = re.compile(
    rb"<(xmp|xap):Thumbnails\b(?:[^>]*/>|.*?</\1:Thumbnails\s*>)\s*", re.DOTALL
)


def describe_upright(packet: bytes, width: int, height: int) -> bytes:
    """The packet with orientation 1 and the upright picture's size, where it names them."""
    for pattern, value in ((_ORIENTATION, 1), (_WIDTH, width), (_HEIGHT, height)):
        packet = pattern.sub(rb"\g<1>\g<2>%d" % value, packet)
    return packet


def without_thumbnails(packet: bytes) -> bytes:
    """The packet without the small pictures that show the photo as it was."""
    return _THUMBNAILS.sub(b"", packet)
