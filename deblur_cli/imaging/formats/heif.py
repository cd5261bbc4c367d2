"""HEIF (HEIC): 8, 10 and 12 bits per sample; needs the extra `heif`."""

from __future__ import annotations

import io
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from deblur_cli.errors import MissingExtraError
from deblur_cli.imaging.cicp import profile
from deblur_cli.imaging.depth import gathered, require, spread
from deblur_cli.imaging.formats.isobmff import require_complete
from deblur_cli.imaging.photo import Image, Metadata
from deblur_cli.imaging.source import Source, Stored, UnsupportedError

_EXIF_PREFIX = b"Exif\0\0"
_PRESET = "ultrafast"  # slower ones take up to five times as long for 15 % less of a single picture
_MODES = ("L", "LA", "RGB", "RGBA")


def require_library() -> ModuleType:
    """The module `pillow_heif`; raises `MissingExtraError` where it is not installed."""
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingExtraError("HEIF", "heif") from error
    return pillow_heif


@dataclass(frozen=True)
class HeifEncoding:
    """HEIF of a given depth: a file does not tell the quality it was made with.

    Attributes:
        bits: per sample: 8, 10 or 12.
        chroma: the sampling of colours, 420, 422 or 444.
        quality: 1 to 100.
    """

    format: ClassVar[str] = "HEIF"
    suffix: ClassVar[str] = ".heic"

    bits: int = 8
    chroma: int = 420
    quality: int = 90

    def encode(self, samples: Image, metadata: Metadata) -> bytes:
        """The file's content; uint8 samples for 8 bits, else uint16."""
        library = require_library()
        require(samples, np.uint8 if self.bits == 8 else np.uint16)
        channels = samples.shape[2]
        deep = "" if self.bits == 8 else f";{self.bits}"
        buffer = io.BytesIO()
        codes = gathered(samples, (1 << self.bits) - 1)
        library.encode(
            _MODES[channels - 1] + deep,
            (samples.shape[1], samples.shape[0]),
            np.ascontiguousarray(codes).tobytes(),
            buffer,
            quality=self.quality,
            chroma=self.chroma,
            enc_params={"preset": _PRESET},
            exif=_EXIF_PREFIX + metadata.exif if metadata.exif else None,
            xmp=metadata.xmp,
            icc_profile=metadata.icc,
        )
        return buffer.getvalue()


def read(source: Source) -> Stored:
    """Decode the primary picture of a HEIF file; the library turns it upright."""
    library = require_library()
    content = source.content()
    require_complete(content)
    file = library.open_heif(io.BytesIO(content), convert_hdr_to_8bit=False)
    image = file[file.primary_index]
    source.admit(*image.size)
    if image.info.get("is_sequence"):
        raise UnsupportedError("animated HEIFs")
    bits = int(image.info["bit_depth"])
    return Stored(
        samples=_samples(image, bits),
        encoding=HeifEncoding(bits, int(image.info.get("chroma") or 420)),
        metadata=_metadata(image),
        is_upright=True,
        notes=_notes(file, image),
    )


def _samples(image: Any, bits: int) -> Image:
    samples = np.atleast_3d(np.asarray(image))
    if samples.dtype == np.uint8:
        return samples
    return spread(samples >> (16 - bits), (1 << bits) - 1)


def _metadata(image: Any) -> Metadata:
    info = image.info
    exif: bytes = info.get("exif") or b""
    nclx = info.get("nclx_profile")
    stated = None
    if nclx:
        stated = profile(nclx["color_primaries"], nclx["transfer_characteristics"])
    return Metadata(
        exif=exif.removeprefix(_EXIF_PREFIX) or None,
        icc=info.get("icc_profile") or stated,
        xmp=info.get("xmp") or None,
    )


def _notes(file: Any, image: Any) -> tuple[str, ...]:
    notes = []
    if len(file) > 1:
        notes.append(f"its {len(file) - 1} further pictures are left out")
    if image.info.get("depth_images") or image.info.get("aux"):
        notes.append("its depth or gain map is left out")
    return tuple(notes)
