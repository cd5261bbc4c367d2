from __future__ import annotations

import numpy as np
import pytest

from deblur_cli.imaging.formats.png import PngEncoding
from deblur_cli.imaging.photo import Metadata, Photo


def test_restored_pixels_keep_everything_else():
    pixels = np.zeros((3, 4, 3), np.uint8)
    photo = Photo(pixels, PngEncoding(), metadata=Metadata(xmp=b"x"), notes=("a note",))
    restored = photo.with_pixels(pixels + np.uint8(1))
    assert restored.pixels.max() == 1
    assert (restored.metadata, restored.notes) == (photo.metadata, photo.notes)


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 3, 3), np.uint8), np.zeros((3, 4, 3), np.float32)], ids=["size", "type"]
)
def test_other_pixels_are_refused(pixels):
    with pytest.raises(ValueError, match="restored pixels are"):
        Photo(np.zeros((3, 4, 3), np.uint8), PngEncoding()).with_pixels(pixels)
