"""Which image format a file is, by its first bytes."""

from __future__ import annotations

import re

LENGTH = 32
"""How many bytes of a file are looked at."""

_PATTERNS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WebP": rb"RIFF....WEBP",
    "Canon raw": rb"(II\*\0....CR|....ftypcrx |II\x1a\0\0\0HEAPCCDR)",
    "Olympus raw": rb"(IIR[OS]|MMOR)",
    "Panasonic raw": rb"IIU\0",
    "Fujifilm raw": rb"FUJIFILMCCD-RAW",
    "Minolta raw": rb"\0MRM",
    "Sigma raw": rb"FOVb",
    "TIFF": rb"(II[*+]\0|MM\0[*+])",
    "AVIF": rb"....ftypavi[fs]",
    "HEIF": rb"....ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1)",
    "JPEG XL": rb"(\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n)",
    "JPEG 2000": rb"(\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51)",
    "GIF": rb"GIF8[79]a",
    "OpenEXR": rb"v/1\x01",
    "Photoshop": rb"8BPS",
    "BMP": rb"BM....\0\0\0\0",
    "Radiance HDR": rb"#\?(RADIANCE|RGBE)",
    "Netpbm": rb"P[1-7Ff]\s",
}
_SIGNATURES = {name: re.compile(pattern, re.DOTALL) for name, pattern in _PATTERNS.items()}


def identify(head: bytes) -> str | None:
    """Name of the image format that a file beginning with these bytes has, or None."""
    return next((name for name, pattern in _SIGNATURES.items() if pattern.match(head)), None)
