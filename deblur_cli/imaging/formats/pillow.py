"""What Pillow's decoders of 8-bit pictures give, as a stored picture."""

from __future__ import annotations

import numpy as np
import PIL.Image

from deblur_cli.imaging.cmyk import cmyk_to_srgb
from deblur_cli.imaging.photo import Encoding, Image, Metadata
from deblur_cli.imaging.source import Source, Stored, UnsupportedError

_EXIF_PREFIX = b"Exif\0\0"
_OPAQUE_MODES = {"RGB": "RGB", "L": "L", "P": "RGB", "1": "L"}
_ALPHA_MODES = {"RGB": "RGBA", "RGBA": "RGBA", "L": "LA", "LA": "LA", "P": "RGBA", "PA": "RGBA"}
_PALETTE_MODES = frozenset({"P", "PA"})
_BAND_PIXELS = 1 << 17


def check(image: PIL.Image.Image, source: Source, kind: str) -> None:
    """Refuse an opened picture that is too large, animated, or of colours not supported.

    Args:
        image: opened, not loaded.
        source: the file.
        kind: what such files are called.

    Raises:
        TooLargeError, UnsupportedError: it is refused.
    """
    source.admit(image.width, image.height)
    if getattr(image, "n_frames", 1) > 1:
        raise UnsupportedError(f"animated {kind}s")
    if image.mode not in {*_OPAQUE_MODES, *_ALPHA_MODES, "CMYK"}:
        raise UnsupportedError(f"{image.mode} {kind}s")


def stored(image: PIL.Image.Image, encoding: Encoding, notes: tuple[str, ...] = ()) -> Stored:
    """The picture of an opened image that passed `check`; palettes and CMYK become RGB.

    Raises:
        Exception: whatever the decoder raises on damaged data.
    """
    image.load()
    metadata = metadata_of(image)
    if image.mode == "CMYK":
        samples, note = cmyk_to_srgb(samples_of(image), metadata.icc)
        return Stored(samples, encoding, _without_profile(metadata), (*notes, note))
    if image.mode in _PALETTE_MODES:
        notes = (*notes, "its palette becomes full colour")
    if image.mode == "1":
        notes = (*notes, "its 1 bit becomes 8-bit grey")
    modes = _ALPHA_MODES if image.has_transparency_data else _OPAQUE_MODES
    mode = modes[image.mode]
    converted = image if image.mode == mode else image.convert(mode)
    return Stored(samples_of(converted), encoding, metadata, notes)


def samples_of(image: PIL.Image.Image) -> Image:
    """(H, W, C) uint8 of a loaded image.

    It is taken over in bands: as a whole it would be copied several times, into memory that is new
    each time.
    """
    width, height = image.size
    samples = np.empty((height, width, len(image.getbands())), np.uint8)
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        samples[top : top + rows] = np.atleast_3d(np.asarray(band))
    return samples


def metadata_of(image: PIL.Image.Image) -> Metadata:
    """What a loaded image says besides its pixels."""
    exif: bytes = image.info.get("exif") or b""
    dpi = tuple(float(value) for value in image.info.get("dpi", ()))
    return Metadata(
        exif=exif.removeprefix(_EXIF_PREFIX) or None,
        icc=image.info.get("icc_profile") or None,
        xmp=image.info.get("xmp") or None,
        dpi=(dpi[0], dpi[1]) if len(dpi) == 2 else None,
    )


def to_pillow(samples: Image) -> PIL.Image.Image:
    """A Pillow image of uint8 samples (H, W, C).

    Raises:
        ValueError: the samples have another dtype.
    """
    if samples.dtype != np.uint8:
        raise ValueError(f"pixels are {samples.dtype}, not uint8")
    mode = ("L", "LA", "RGB", "RGBA")[samples.shape[2] - 1]
    size = (samples.shape[1], samples.shape[0])
    return PIL.Image.frombuffer(mode, size, np.ascontiguousarray(samples), "raw", mode, 0, 1)


def _without_profile(metadata: Metadata) -> Metadata:
    return Metadata(exif=metadata.exif, xmp=metadata.xmp, dpi=metadata.dpi)
