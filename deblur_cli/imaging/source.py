"""An open image file, the limits on its pictures, and what a decoder says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

from deblur_cli.imaging.photo import Encoding, Image, Metadata

MAX_PIXELS = 250_000_000
"""Larger pictures are refused undecoded unless asked for; cameras make up to 200 million."""

PLAUSIBLE_PIXELS = 50_000_000
"""From here on a file must also be of a size that such a picture can have."""

_MAX_PIXELS_PER_BYTE = 200


class UnsupportedError(Exception):
    """The file is of a kind not supported; the text names the kind, in the plural."""


class TooLargeError(Exception):
    """The picture is larger than allowed; the text says how large, and why that is too much."""


@dataclass(frozen=True)
class Source:
    """An image file, open for reading.

    Attributes:
        file: its content, seekable.
        size: bytes of the content.
        max_pixels: the largest picture allowed; None for the usual limits.
    """

    file: BinaryIO
    size: int
    max_pixels: int | None = None

    def content(self) -> bytes:
        """The whole content."""
        self.file.seek(0)
        return self.file.read()

    def admit(self, width: int, height: int) -> None:
        """Let a picture of this size pass, before memory is taken for it.

        Raises:
            TooLargeError: it has more pixels than allowed, or so many that a file this small
                cannot hold a photo of them (decompression bomb).
            ValueError: it has no pixels.
        """
        pixels = width * height
        if pixels <= 0:
            raise ValueError(f"a picture of {width} x {height} pixels")
        limit = MAX_PIXELS if self.max_pixels is None else self.max_pixels
        if pixels > limit:
            raise TooLargeError(
                f"{width} x {height} pixels are more than the {limit / 1e6:g} million allowed"
            )
        is_checked = self.max_pixels is None and pixels >= PLAUSIBLE_PIXELS
        if is_checked and pixels > self.size * _MAX_PIXELS_PER_BYTE:
            raise TooLargeError(
                f"{width} x {height} pixels in {self.size} bytes look like a decompression bomb"
            )


@dataclass(frozen=True)
class Stored:
    """A picture as it lies in a file.

    Attributes:
        samples: (H, W, C), C being 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha; alpha is
            straight; integers fill the range of their dtype.
        encoding: how to write such a file again.
        metadata: as the file has it.
        notes: as in `Photo`.
        is_upright: the decoder has applied the orientation; EXIF and XMP may still name it.
    """

    samples: Image
    encoding: Encoding
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()
    is_upright: bool = False
