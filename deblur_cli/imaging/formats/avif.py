"""AVIF: 8, 10 and 12 bits per sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from deblur_cli.imaging.cicp import profile_of
from deblur_cli.imaging.depth import gathered, packed, require, spread
from deblur_cli.imaging.formats import pillow
from deblur_cli.imaging.formats.isobmff import find_boxes, require_complete
from deblur_cli.imaging.photo import Image, Metadata
from deblur_cli.imaging.source import Source, Stored

_BGR = {1: [0], 2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}


@dataclass(frozen=True)
class AvifEncoding:
    """AVIF of a given depth: a file does not tell the quality it was made with.

    Attributes:
        bits: per sample: 8, 10 or 12.
        quality: 1 to 100.
    """

    format: ClassVar[str] = "AVIF"
    suffix: ClassVar[str] = ".avif"

    bits: int = 8
    quality: int = 90

    def encode(self, samples: Image, metadata: Metadata) -> bytes:
        """The file's content; uint8 samples for 8 bits, else uint16."""
        import cv2

        require(samples, np.uint8 if self.bits == 8 else np.uint16)
        codes = gathered(samples, (1 << self.bits) - 1)[:, :, _BGR[samples.shape[2]]]
        carried = {
            cv2.IMAGE_METADATA_EXIF: metadata.exif,
            cv2.IMAGE_METADATA_XMP: metadata.xmp,
            cv2.IMAGE_METADATA_ICCP: metadata.icc,
        }
        present = {kind: content for kind, content in carried.items() if content}
        done, content = cv2.imencodeWithMetadata(
            self.suffix,
            packed(codes),
            list(present),
            [np.frombuffer(value, np.uint8)[None] for value in present.values()],
            [cv2.IMWRITE_AVIF_DEPTH, self.bits, cv2.IMWRITE_AVIF_QUALITY, self.quality],
        )
        if not done:
            raise ValueError("the encoder failed")
        return bytes(content)


def read(source: Source) -> Stored:
    """Decode an AVIF file of a single picture."""
    from imagecodecs import avif_decode
    from PIL import AvifImagePlugin

    with AvifImagePlugin.AvifImageFile(source.file) as image:
        pillow.check(image, source, "AVIF")
        metadata = pillow.metadata_of(image)
    content = source.content()
    require_complete(content)
    bits = _depth(find_boxes(content, b"av1C"))
    samples = np.atleast_3d(avif_decode(content))
    if samples.dtype != (np.uint8 if bits == 8 else np.uint16):
        raise ValueError(f"decoded as {samples.dtype}, declared as {bits} bits")
    icc = metadata.icc or profile_of(content)
    return Stored(
        samples=spread(samples, (1 << bits) - 1),
        encoding=AvifEncoding(bits),
        metadata=Metadata(metadata.exif, icc, metadata.xmp, metadata.dpi),
    )


def _depth(configurations: Sequence[Any]) -> int:
    """Bits per sample by the `av1C` box: its flags are high_bitdepth and twelve_bit."""
    flags = configurations[0][2] if configurations and len(configurations[0]) > 2 else 0
    if not flags & 0x40:
        return 8
    return 12 if flags & 0x20 else 10
