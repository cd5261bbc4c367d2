"""What a photo is between reading and writing: pixels, and all that must come back with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Image: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]
"""HWC RGB pixels: uint8, uint16, or float32 where 1 is white (a photo may hold values beyond)."""


@dataclass(frozen=True)
class Metadata:
    """What every format can carry; it describes the upright picture.

    `exif` is the bare TIFF block, without the `Exif\\0\\0` some formats put before it. `dpi` is
    (horizontal, vertical).
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None


class Encoding(Protocol):
    """A file format, with the settings (compression, chunks, depth) the source file used."""

    format: ClassVar[str]
    """The format's name, as in messages."""

    suffix: ClassVar[str]
    """The usual ending of names of such files, lower case."""

    def encode(self, samples: Image, metadata: Metadata) -> bytes:
        """The file's content: samples and metadata written as the source had them.

        Args:
            samples: (H, W, C), C being 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
            metadata: of the picture as it is given.

        Raises:
            ValueError: the format cannot hold samples of this dtype or number of channels.
        """
        ...


@dataclass(frozen=True)
class Photo:
    """An upright picture and how to write it back.

    Attributes:
        pixels: (H, W, 3) RGB. A grey picture has three equal channels. Integers fill the range of
            their dtype whatever the file's bits; floats may go below 0 and above 1.
        alpha: (H, W), straight (not premultiplied), in the dtype of the pixels; or None.
        greyscale: the file has one colour channel and gets one again.
        encoding: the file format and its settings.
        metadata: EXIF, ICC, XMP and resolution.
        notes: what the written file will not have in common with the source, for the log.
    """

    pixels: Image
    encoding: Encoding
    alpha: Image | None = None
    greyscale: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    def with_pixels(self, pixels: Image) -> Photo:
        """The same photo with restored pixels of the same shape and dtype."""
        if pixels.shape != self.pixels.shape or pixels.dtype != self.pixels.dtype:
            raise ValueError(
                f"restored pixels are {pixels.shape} {pixels.dtype}, "
                f"the photo's are {self.pixels.shape} {self.pixels.dtype}"
            )
        return replace(self, pixels=pixels)
