"""TIFF: pixels of 8 and 16 bits and floats, in the layout and compression the source has."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from deblur_cli.imaging.depth import gathered
from deblur_cli.imaging.formats.tiff_pixels import first_page, samples_of
from deblur_cli.imaging.formats.tiff_tags import exif_of, read_directory, with_tags
from deblur_cli.imaging.photo import Image, Metadata
from deblur_cli.imaging.premultiplied import multiplied
from deblur_cli.imaging.source import Source, Stored

if TYPE_CHECKING:
    import tifffile

_LOSSLESS = frozenset({"NONE", "PACKBITS", "LZW", "DEFLATE", "ADOBE_DEFLATE", "ZSTD", "LZMA"})
_STRAIGHT, PREMULTIPLIED = 2, 1
_INCH, _CENTIMETRE = 2, 3
_PER_INCH = {_INCH: 1.0, _CENTIMETRE: 2.54}
_XMP, _ICC = 700, 34675


@dataclass(frozen=True)
class TiffEncoding:
    """TIFF with the source's compression if that is lossless and common, else with Deflate.

    Attributes:
        compression: tifffile's name of it.
        predictor: differences of neighbours are compressed.
        tile: (height, width) of the tiles; None for strips.
        strip: rows of a strip; None for strips of a usual size.
        planar: each channel lies apart.
        order: `<` or `>`, the byte order.
        big: a BigTIFF.
        bits: of an integer sample; None for all of its dtype's.
        half: floats are written with 16 bits.
        alpha: what the ExtraSamples tag says of an alpha channel.
    """

    format: ClassVar[str] = "TIFF"
    suffix: ClassVar[str] = ".tif"

    compression: str = "ADOBE_DEFLATE"
    predictor: bool = True
    tile: tuple[int, int] | None = None
    strip: int | None = None
    planar: bool = False
    order: str = "<"
    big: bool = False
    bits: int | None = None
    half: bool = False
    alpha: int = _STRAIGHT

    @classmethod
    def of(cls, page: tifffile.TiffPage) -> TiffEncoding:
        """The settings of a page that was read."""
        is_lossless = page.compression.name in _LOSSLESS
        return cls(
            compression=page.compression.name if is_lossless else cls.compression,
            predictor=page.predictor != 1 if is_lossless else cls.predictor,
            tile=(page.tilelength, page.tilewidth) if page.is_tiled else None,
            strip=page.rowsperstrip if is_lossless and not page.is_tiled else None,
            planar=page.planarconfig == 2,
            order=page.parent.byteorder,
            big=page.parent.is_bigtiff,
            bits=page.bitspersample if 8 < page.bitspersample < 16 else None,
            half=page.dtype == np.float16,
            alpha=page.extrasamples[0] if page.extrasamples else _STRAIGHT,
        )

    def encode(self, samples: Image, metadata: Metadata) -> bytes:
        """The file's content; uint8, uint16 or float32 samples."""
        tifffile = _library()
        buffer = io.BytesIO()
        tifffile.imwrite(
            buffer,
            self._arranged(samples),
            byteorder=self.order,
            bigtiff=True if self.big else None,
            photometric="rgb" if samples.shape[2] >= 3 else "minisblack",
            planarconfig=self._planes(samples),
            extrasamples=[self.alpha] if samples.shape[2] in (2, 4) else [],
            bitspersample=self.bits if samples.dtype == np.uint16 else None,
            compression=None if self.compression == "NONE" else self.compression,
            predictor=self.predictor and self._is_predictable(),
            tile=self.tile,
            rowsperstrip=self.strip,
            resolution=metadata.dpi,
            resolutionunit=_INCH if metadata.dpi else None,
            iccprofile=metadata.icc,
            metadata=None,
            software=False,
        )
        return with_tags(buffer.getvalue(), metadata.exif, metadata.xmp)

    def _arranged(self, samples: Image) -> np.ndarray[Any, Any]:
        if self.alpha == PREMULTIPLIED and samples.shape[2] in (2, 4):
            samples = multiplied(samples)
        if self.bits and samples.dtype == np.uint16:
            samples = gathered(samples, (1 << self.bits) - 1)
        stored = samples.astype(np.float16) if self.half else samples
        if stored.shape[2] == 1:
            return stored[:, :, 0]
        planes = self._planes(samples) == "separate"
        return np.ascontiguousarray(np.moveaxis(stored, 2, 0)) if planes else stored

    def _planes(self, samples: Image) -> str | None:
        if samples.shape[2] == 1:
            return None
        return "separate" if self.planar else "contig"

    def _is_predictable(self) -> bool:
        return self.compression not in ("NONE", "PACKBITS") and not self.bits


def read(source: Source) -> Stored:
    """Decode a TIFF file of one page; palettes, CMYK and 1 bit become RGB and grey of 8 bits."""
    tifffile = _library()
    directory, layout = read_directory(source.file)
    source.file.seek(0)
    with tifffile.TiffFile(source.file) as file:
        page, notes = first_page(file, source)
        icc = _content(directory, _ICC)
        samples, changes = samples_of(page, icc)
        metadata = Metadata(
            exif=exif_of(directory, layout),
            icc=None if page.photometric.name == "SEPARATED" else icc,
            xmp=_content(directory, _XMP),
            dpi=_resolution(page),
        )
        return Stored(samples, TiffEncoding.of(page), metadata, (*notes, *changes))


def _library() -> ModuleType:
    """tifffile, kept from printing: what it complains of becomes an error or does no harm."""
    import tifffile

    logger = logging.getLogger("tifffile")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return cast("ModuleType", tifffile)


def _content(directory: dict[int, Any], tag: int) -> bytes | None:
    value = directory.get(tag)
    return value.content if value else None


def _resolution(page: tifffile.TiffPage) -> tuple[float, float] | None:
    scale = _PER_INCH.get(page.tags.valueof(296, _INCH))
    fractions = [page.tags.valueof(tag) for tag in (282, 283)]
    if scale is None or not all(isinstance(f, tuple) and len(f) == 2 and f[1] for f in fractions):
        return None
    horizontal, vertical = (scale * top / bottom for top, bottom in fractions)
    return horizontal, vertical
