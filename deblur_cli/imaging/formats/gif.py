"""GIF: read as full colour and written as PNG, since a restored photo needs more than a palette."""

from __future__ import annotations

from deblur_cli.imaging.formats import pillow
from deblur_cli.imaging.formats.png import PngEncoding
from deblur_cli.imaging.source import Source, Stored


def read(source: Source) -> Stored:
    """Decode a GIF file of a single frame."""
    from PIL import GifImagePlugin

    with GifImagePlugin.GifImageFile(source.file) as image:
        pillow.check(image, source, "GIF")
        return pillow.stored(image, PngEncoding(), ("a GIF becomes a PNG",))
