"""What a result says of where it comes from: the program that made it, or nothing at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from deblur_cli.imaging.formats import png
from deblur_cli.imaging.formats.exr import ExrEncoding
from deblur_cli.imaging.formats.jpeg import JpegEncoding
from deblur_cli.imaging.formats.png import PngEncoding
from deblur_cli.imaging.metadata import joined, signed_metadata
from deblur_cli.imaging.photo import Encoding, Metadata, Photo

_PNG_SOFTWARE = b"Software\0"
_EXR_SOFTWARE = "Software"
_EXR_LAYOUT = frozenset(
    {
        "channels",
        "chromaticities",
        "compression",
        "dataWindow",
        "displayWindow",
        "lineOrder",
        "pixelAspectRatio",
        "screenWindowCenter",
        "screenWindowWidth",
        "tiles",
        "type",
        "whiteLuminance",
    }
)


def signed(photo: Photo, software: str) -> Photo:
    """The photo with a program named as its maker, before those it names already.

    The name stands in the EXIF tag `Software`, or in OpenEXR's attribute of this name; in a PNG's
    text, too, where that names a program.

    Args:
        photo: to be written.
        software: name and version, such as `deblur 1.0 (algnet-small-motion)`; ASCII.
    """
    metadata = signed_metadata(photo.metadata, software)
    return replace(photo, metadata=metadata, encoding=_signed_encoding(photo.encoding, software))


def _signed_encoding(encoding: Encoding, software: str) -> Encoding:
    match encoding:
        case PngEncoding(chunks):
            return replace(encoding, chunks=tuple(_signed_chunks(chunks, software)))
        case ExrEncoding(attributes) if attributes:
            known = str(attributes.get(_EXR_SOFTWARE, ""))
            return replace(
                encoding, attributes=attributes | {_EXR_SOFTWARE: joined(software, known)}
            )
        case _:
            return encoding


def _signed_chunks(
    chunks: tuple[tuple[bytes, bytes], ...], software: str
) -> Iterator[tuple[bytes, bytes]]:
    for kind, content in chunks:
        if kind == b"tEXt" and content.startswith(_PNG_SOFTWARE):
            known = content.removeprefix(_PNG_SOFTWARE).decode("latin-1")
            yield kind, _PNG_SOFTWARE + joined(software, known).encode("latin-1", "replace")
        else:
            yield kind, content


def stripped(photo: Photo) -> Photo:
    """The photo without all that it can be shown without; colours and resolution stay."""
    kept = Metadata(icc=photo.metadata.icc, dpi=photo.metadata.dpi)
    return replace(photo, metadata=kept, encoding=_stripped_encoding(photo.encoding))


def _stripped_encoding(encoding: Encoding) -> Encoding:
    match encoding:
        case JpegEncoding():
            return replace(encoding, comment=None, segments=())
        case PngEncoding(chunks):
            colours = tuple(chunk for chunk in chunks if chunk[0] in png.COLOUR_CHUNKS)
            return replace(encoding, chunks=colours)
        case ExrEncoding(attributes):
            layout = {name: value for name, value in attributes.items() if name in _EXR_LAYOUT}
            return replace(encoding, attributes=layout)
        case _:
            return encoding
