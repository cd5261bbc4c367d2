"""Raw photos of cameras, developed to 16 bits and written as TIFF; needs the extra `raw`."""

from __future__ import annotations

import io
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from PIL import JpegImagePlugin

from deblur_cli.errors import MissingExtraError
from deblur_cli.imaging.formats import pillow
from deblur_cli.imaging.formats.tiff import TiffEncoding
from deblur_cli.imaging.formats.tiff_directory import DamagedDirectoryError, read_first_directory
from deblur_cli.imaging.formats.tiff_tags import exif_of, reader_of
from deblur_cli.imaging.photo import Metadata
from deblur_cli.imaging.source import Source, Stored

if TYPE_CHECKING:
    import rawpy

_SRGB_CURVE = (2.4, 12.92)


def require_library() -> ModuleType:
    """The module `rawpy`; raises `MissingExtraError` where it is not installed."""
    try:
        import rawpy
    except ImportError as error:
        raise MissingExtraError("raw photos", "raw") from error
    return rawpy


def read(source: Source) -> Stored:
    """Develop a raw photo: the camera's white balance, no brightening, sRGB, upright."""
    rawpy = require_library()
    from imagecodecs import cms_profile

    content = source.content()
    with rawpy.imread(io.BytesIO(content)) as photo:
        source.admit(photo.sizes.width, photo.sizes.height)
        samples = photo.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            output_bps=16,
            gamma=_SRGB_CURVE,
            output_color=rawpy.ColorSpace.sRGB,
        )
        exif = _stored_exif(source) or _preview_exif(photo)
    notes: tuple[str, ...] = ("a raw photo becomes a TIFF of 16 bits",)
    if exif is None:
        notes = (*notes, "its camera data could not be read")
    icc = bytes(cms_profile("srgb"))
    return Stored(
        samples=np.asarray(samples),
        encoding=TiffEncoding(),
        metadata=Metadata(exif=exif, icc=icc),
        is_upright=True,
        notes=notes,
    )


def _stored_exif(source: Source) -> bytes | None:
    """Of a raw file that is a TIFF structure, as most are, whatever its maker's mark."""
    source.file.seek(0)
    mark = source.file.read(2)
    header = {b"II": b"II*\0", b"MM": b"MM\0*"}.get(mark)
    if header is None:
        return None

    read_part = reader_of(source.file)

    def read(position: int, length: int) -> bytes:
        return header if position == 0 else read_part(position, length)

    try:
        return exif_of(*read_first_directory(read))
    except DamagedDirectoryError:
        return None


def _preview_exif(photo: rawpy.RawPy) -> bytes | None:
    """Of the JPEG preview that cameras put into raw files of other structures."""
    import rawpy

    try:
        preview = photo.extract_thumb()
        if preview.format is not rawpy.ThumbFormat.JPEG:
            return None
        with JpegImagePlugin.JpegImageFile(io.BytesIO(bytes(preview.data))) as image:
            return pillow.metadata_of(image).exif
    except (rawpy.LibRawError, OSError, SyntaxError):
        return None
