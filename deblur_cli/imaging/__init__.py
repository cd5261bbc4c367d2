"""Photos on disk: read to arrays, written back with everything they carried."""

from __future__ import annotations

from deblur_cli.imaging.formats.table import target_suffix
from deblur_cli.imaging.photo import Encoding, Image, Metadata, Photo
from deblur_cli.imaging.read import SUFFIXES, looks_like_image, read_photo
from deblur_cli.imaging.write import encode_photo, write_photo

__all__ = [
    "SUFFIXES",
    "Encoding",
    "Image",
    "Metadata",
    "Photo",
    "encode_photo",
    "looks_like_image",
    "read_photo",
    "target_suffix",
    "write_photo",
]
