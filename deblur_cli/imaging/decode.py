"""Makes an upright photo of a picture as it lies in its file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deblur_cli.imaging import xmp
from deblur_cli.imaging.depth import Samples
from deblur_cli.imaging.exif import DamagedExifError, ExifBlock
from deblur_cli.imaging.metadata import upright_metadata
from deblur_cli.imaging.photo import Image, Metadata, Photo
from deblur_cli.imaging.source import Stored


def to_photo(stored: Stored) -> Photo:
    """The upright photo: orientation applied and reset, alpha apart, grey as three channels."""
    height, width, channels = stored.samples.shape
    if stored.is_upright:
        stored = replace(stored, metadata=_without_orientation(stored.metadata, width, height))
    metadata, orientation = upright_metadata(stored.metadata, (width, height))
    samples: Samples = turned(stored.samples, orientation)
    has_alpha = channels in (2, 4)
    colours = samples[:, :, : channels - has_alpha]
    return Photo(
        pixels=_in_full(colours),
        alpha=np.array(samples[:, :, -1], order="C") if has_alpha else None,
        greyscale=channels <= 2,
        encoding=stored.encoding,
        metadata=metadata,
        notes=stored.notes,
    )


def _in_full(colours: Image) -> Image:
    """Three channels, in memory that is whole and may be changed; copied only if need be."""
    rgb: Samples = colours if colours.shape[2] == 3 else np.repeat(colours, 3, axis=2)
    return np.require(rgb, requirements=["C", "W"])


def _without_orientation(metadata: Metadata, width: int, height: int) -> Metadata:
    """The metadata of a picture turned already; a damaged EXIF block is left out."""
    packet = xmp.describe_upright(metadata.xmp, width, height) if metadata.xmp else None
    try:
        block = ExifBlock(metadata.exif) if metadata.exif else None
    except DamagedExifError:
        return replace(metadata, exif=None, xmp=packet)
    if block:
        block.describe_upright(width, height)
    return replace(metadata, exif=block.to_bytes() if block else None, xmp=packet)


def turned(samples: Image, orientation: int) -> Image:
    """The samples of an EXIF orientation (1 to 8) as they are to be seen."""
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples
