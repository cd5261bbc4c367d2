"""The samples of a TIFF page, whatever its layout, depth and colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from deblur_cli.imaging.cmyk import cmyk_to_srgb
from deblur_cli.imaging.depth import Samples, full_scale, spread
from deblur_cli.imaging.photo import Image
from deblur_cli.imaging.premultiplied import straightened
from deblur_cli.imaging.source import Source, UnsupportedError

if TYPE_CHECKING:
    import tifffile

_REDUCED = 1
_PREMULTIPLIED = 1
_COLOURS = {"MINISWHITE": 1, "MINISBLACK": 1, "RGB": 3, "PALETTE": 1, "SEPARATED": 4, "YCBCR": 3}
_DTYPES = {"?": 1, "B": 8, "H": 16, "e": 16, "f": 32, "d": 64}


def first_page(file: tifffile.TiffFile, source: Source) -> tuple[Any, tuple[str, ...]]:
    """The page of a file that has but one, and what is left out.

    Raises:
        UnsupportedError, TooLargeError: it is refused before memory is taken.
        ValueError: the file is cut off.
    """
    page = file.pages.first
    further = [other for other in file.pages[1:] if not other.subfiletype & _REDUCED]
    if further:
        raise UnsupportedError("multi-page TIFFs")
    _refuse_unsuitable(page)
    source.admit(page.imagewidth, page.imagelength)
    source.admit(max(page.tilewidth, 1), max(page.tilelength, 1))
    _require_complete(page, source.size)
    return page, ("its previews are left out",) if len(file.pages) > 1 else ()


def _refuse_unsuitable(page: Any) -> None:
    colours = _COLOURS.get(page.photometric.name)
    extra = page.samplesperpixel - (colours or 0)
    is_inks = page.photometric.name == "SEPARATED"
    if colours is None:
        raise UnsupportedError(f"{page.photometric.name} TIFFs")
    if page.dtype is None or page.dtype.char not in _DTYPES:
        kind = page.dtype.name if page.dtype is not None else f"{page.bitspersample}-bit"
        raise UnsupportedError(f"{kind} TIFFs")
    if extra not in (0, 1) or (is_inks and extra) or page.imagedepth > 1:
        raise UnsupportedError(f"TIFFs of {page.samplesperpixel} channels")
    if page.photometric.name == "YCBCR" and "JPEG" not in page.compression.name:
        raise UnsupportedError("YCbCr TIFFs")
    if is_inks and page.dtype.char not in "BH":
        raise UnsupportedError(f"{page.dtype.name} CMYK TIFFs")


def _require_complete(page: Any, size: int) -> None:
    spans = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if len(spans) < np.prod(page.chunked) or any(
        count <= 0 or offset + count > size for offset, count in spans
    ):
        raise ValueError("its pixels are cut off")


def samples_of(page: Any, icc: bytes | None) -> tuple[Image, tuple[str, ...]]:
    """(H, W, C) samples of a page that `first_page` let pass, and what changes by reading them.

    Raises:
        Exception: whatever the decoder raises on damaged data.
    """
    samples = page.asarray()
    if page.axes.startswith("S"):
        samples = np.moveaxis(samples, 0, 2)
    samples = np.atleast_3d(samples)
    if page.photometric.name == "PALETTE":
        return _from_palette(samples[:, :, 0], page.colormap), ("its palette becomes full colour",)
    full, notes = _full_range(samples, page.bitspersample)
    if page.photometric.name == "SEPARATED":
        rgb, note = cmyk_to_srgb(full, icc)
        return rgb, (*notes, note)
    if page.photometric.name == "MINISWHITE":
        full = _inverted(full)
    is_premultiplied = page.extrasamples and page.extrasamples[0] == _PREMULTIPLIED
    return straightened(full) if is_premultiplied else full, notes


def _inverted(samples: Samples) -> Image:
    return np.asarray(full_scale(samples.dtype) - samples)


def _full_range(samples: Any, bits: int) -> tuple[Image, tuple[str, ...]]:
    if samples.dtype.kind == "f":
        notes = ("its 64-bit floats become 32-bit",) if samples.dtype.itemsize > 4 else ()
        return samples.astype(np.float32, copy=False), notes
    notes = (f"its {bits}-bit samples become 8-bit",) if bits < 8 else ()
    return spread(samples, (1 << bits) - 1), notes


def _from_palette(codes: Any, palette: Any) -> Image:
    shift = 8 if palette.max() > 255 else 0
    return np.asarray((palette.T >> shift).astype(np.uint8)[codes])
