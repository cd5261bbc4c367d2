"""What each format keeps, measured; run as a module it renews the table in docs/formats.md."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import OpenEXR
import PIL.Image
from PIL.ExifTags import IFD, Base

from deblur_cli.errors import ImageWriteError
from deblur_cli.imaging import Encoding, Metadata, Photo, read_photo, write_photo
from deblur_cli.imaging.formats.avif import AvifEncoding
from deblur_cli.imaging.formats.bmp import BmpEncoding
from deblur_cli.imaging.formats.exr import ExrEncoding
from deblur_cli.imaging.formats.heif import HeifEncoding
from deblur_cli.imaging.formats.jpeg import JpegEncoding
from deblur_cli.imaging.formats.jpeg2000 import Jpeg2000Encoding
from deblur_cli.imaging.formats.netpbm import NetpbmEncoding
from deblur_cli.imaging.formats.png import PngEncoding
from deblur_cli.imaging.formats.tiff import TiffEncoding
from deblur_cli.imaging.formats.webp import WebpEncoding

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"

KEPT, LOST = "yes", "–"
_DTYPES = {"8": np.uint8, "half": np.float32, "float": np.float32}
_NEAR = 0.02


@dataclass(frozen=True)
class Row:
    """A format: an encoding for each depth, and one for each setting that a file can have."""

    depths: dict[str, Encoding]
    settings: dict[str, Encoding] = field(default_factory=dict)
    iptc: Encoding | None = None


_SHAPE = (48, 64)
IPTC = b"someone, the iptc"
_RESOURCES = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + len(IPTC).to_bytes(4) + IPTC + b"\0"

ROWS = {
    "JPEG": Row(
        {"8": JpegEncoding(quality=98)},
        {
            "quantisation tables": JpegEncoding(quantisation=((3,) * 64, (7,) * 64)),
            "colour subsampling": JpegEncoding(subsampling=2, quantisation=((1,) * 64,)),
            "progressive": JpegEncoding(progressive=True, quantisation=((1,) * 64,)),
            "comment": JpegEncoding(comment=b"by hand", quantisation=((1,) * 64,)),
        },
        iptc=JpegEncoding(segments=((0xED, _RESOURCES),)),
    ),
    "PNG": Row(
        {"8": PngEncoding(), "16": PngEncoding()},
        {
            "text": PngEncoding(((b"tEXt", b"Title\0A walk"),)),
            "colour space chunks": PngEncoding(((b"gAMA", b"\0\0\xb1\x8f"),)),
        },
        iptc=PngEncoding(((b"tEXt", b"Raw profile type iptc\0" + IPTC),)),
    ),
    "WebP": Row(
        {"8": WebpEncoding()},
        {"lossless or lossy": WebpEncoding(lossless=False)},
    ),
    "TIFF": Row(
        {
            "8": TiffEncoding(),
            "12": TiffEncoding("NONE", bits=12, predictor=False),
            "16": TiffEncoding(),
            "half": TiffEncoding(half=True),
            "float": TiffEncoding(),
        },
        {
            "compression": TiffEncoding("LZW"),
            "predictor": TiffEncoding(predictor=False),
            "tiles": TiffEncoding(tile=(16, 32)),
            "strips": TiffEncoding(strip=8),
            "planes": TiffEncoding(planar=True),
            "byte order": TiffEncoding(order=">"),
            "BigTIFF": TiffEncoding(big=True),
        },
        iptc=TiffEncoding(),
    ),
    "HEIF": Row(
        {"8": HeifEncoding(), "10": HeifEncoding(10), "12": HeifEncoding(12)},
        {"colour subsampling": HeifEncoding(chroma=444)},
    ),
    "AVIF": Row({"8": AvifEncoding(), "10": AvifEncoding(10), "12": AvifEncoding(12)}),
    "JPEG 2000": Row(
        {str(bits): Jpeg2000Encoding(bits) for bits in (8, 10, 12, 16)},
        {
            "lossless or lossy": Jpeg2000Encoding(lossless=False),
            "bare codestream": Jpeg2000Encoding(bare=True),
        },
    ),
    "OpenEXR": Row(
        {"half": ExrEncoding(), "float": ExrEncoding(half=False)},
        {
            "compression and other attributes": ExrEncoding(
                {"compression": OpenEXR.PIZ_COMPRESSION, "owner": "someone"}
            ),
            "further channels": ExrEncoding(further={"Z": np.ones(_SHAPE, np.float32)}),
        },
    ),
    "Netpbm": Row(
        {
            "8": NetpbmEncoding(255),
            "10": NetpbmEncoding(1023),
            "16": NetpbmEncoding(65535),
            "float": NetpbmEncoding(),
        }
    ),
    "BMP": Row({"8": BmpEncoding()}),
}


def table() -> str:
    """The table as Markdown, from files written and read back."""
    heads = ("Format", "Bits", "Pixels", "Alpha", "Grey", "ICC", "EXIF", "XMP", "IPTC", "dpi")
    heads += ("Settings",)
    with tempfile.TemporaryDirectory() as folder:
        rows = [tuple(_cells(name, row, Path(folder))) for name, row in ROWS.items()]
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def photo(encoding: Encoding, depth: str = "8") -> Photo:
    """A smooth picture, each bits' codes spread over the range of its dtype."""
    dtype = _DTYPES.get(depth, np.uint16)
    down, across = (np.linspace(0, 1, length) for length in _SHAPE)
    light = np.dstack(
        [0 * across + down[:, None], across + 0 * down[:, None], down[:, None] * across]
    )
    if dtype is np.float32:
        stored = (4 * light - 1).astype(np.float16 if depth == "half" else np.float32)
        return Photo(stored.astype(np.float32), encoding)
    codes = np.rint(light * (2 ** int(depth) - 1))
    full = int(np.iinfo(dtype).max)
    return Photo(np.rint(codes * full / (2 ** int(depth) - 1)).astype(dtype), encoding)


def _cells(name: str, row: Row, folder: Path) -> Iterator[str]:
    first, encoding = next(iter(row.depths.items()))
    plain = photo(encoding, first)
    path = folder / f"a{encoding.suffix}"

    def back(given: Photo) -> Photo | None:
        try:
            write_photo(path, given)
        except ImageWriteError:
            return None
        return read_photo(path)

    def says(given: Photo, survives: Callable[[Photo], bool]) -> str:
        after = back(given)
        return KEPT if after is not None and survives(after) else LOST

    exif, icc, xmp = exif_block(), b"a profile", b"<x:xmpmeta/>"
    alpha, grey = plain.pixels[:, :, 0], np.repeat(plain.pixels[:, :, :1], 3, axis=2)
    described = replace(plain, metadata=Metadata(exif, icc, xmp, (300.0, 150.0)))
    yield name
    yield ", ".join(d for d, e in row.depths.items() if _is_near(photo(e, d), back(photo(e, d))))
    yield "exact" if np.array_equal(_pixels(back(plain)), plain.pixels) else "nearly"
    yield says(replace(plain, alpha=alpha), lambda after: after.alpha is not None)
    yield says(replace(plain, pixels=grey, greyscale=True), lambda after: after.greyscale)
    yield says(described, lambda after: after.metadata.icc == icc)
    yield says(described, lambda after: artist(after.metadata.exif) == "someone")
    yield says(described, lambda after: after.metadata.xmp == xmp)
    yield KEPT if row.iptc and _keeps_iptc(replace(described, encoding=row.iptc), path) else LOST
    yield says(described, lambda after: _is_resolution(after.metadata.dpi))
    kept = [label for label, e in row.settings.items() if _keeps(back(photo(e)), e)]
    yield ", ".join(kept) or LOST


def _keeps(after: Photo | None, encoding: Encoding) -> bool:
    """Whether all that is not as usual in an encoding is the same in that of the result."""
    settings = {f.name: getattr(encoding, f.name) for f in fields(encoding)}
    unusual = {k: v for k, v in settings.items() if v != getattr(type(encoding)(), k)}
    return after is not None and all(
        _holds(getattr(after.encoding, name), value) for name, value in unusual.items()
    )


def _holds(found: object, wanted: object) -> bool:
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(np.array_equal(found[key], value) for key, value in wanted.items())
    return found == wanted


def _keeps_iptc(given: Photo, path: Path) -> bool:
    write_photo(path, given)
    write_photo(path, read_photo(path))
    return IPTC in path.read_bytes()


def _pixels(after: Photo | None) -> np.ndarray | None:
    return None if after is None else after.pixels


def _is_near(before: Photo, after: Photo | None) -> bool:
    if after is None or after.pixels.dtype != before.pixels.dtype:
        return False
    if hasattr(before.encoding, "bits") and before.encoding.bits != after.encoding.bits:  # type: ignore[attr-defined]
        return False
    full = 1 if before.pixels.dtype == np.float32 else np.iinfo(before.pixels.dtype).max
    return bool(np.abs(before.pixels.astype(float) - after.pixels).mean() < _NEAR * full)


def _is_resolution(dpi: tuple[float, float] | None) -> bool:
    return dpi is not None and bool(np.allclose(dpi, (300, 150), atol=0.02))


def exif_block() -> bytes:
    """An EXIF block that names an artist and the sensitivity."""
    exif = PIL.Image.Exif()
    exif[Base.Artist] = "someone"
    exif[Base.IPTCNAA] = IPTC
    exif[IFD.Exif] = {Base.ISOSpeedRatings: 400}
    return exif.tobytes().removeprefix(b"Exif\0\0")


def artist(block: bytes | None) -> str | None:
    """The artist an EXIF block names."""
    exif = PIL.Image.Exif()
    exif.load_from_fp(io.BytesIO(block)) if block else None
    return exif.get(Base.Artist)


def renewed(document: str) -> str:
    """The document with the table as measured now."""
    before, _, rest = document.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text("utf-8")), "utf-8")
