from __future__ import annotations

import numpy as np
import PIL.Image
import pytest

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import read_photo, target_suffix, write_photo

COLOURS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def test_one_frame_becomes_a_png(tmp_path):
    picture = PIL.Image.fromarray(COLOURS).quantize(8)
    picture.save(tmp_path / "a.gif", transparency=3)
    photo = read_photo(tmp_path / "a.gif")
    shown = np.asarray(picture) != 3
    np.testing.assert_array_equal(photo.pixels[shown], np.asarray(picture.convert("RGB"))[shown])
    np.testing.assert_array_equal(photo.alpha, np.where(shown, 255, 0))
    assert "a GIF becomes a PNG" in photo.notes
    assert target_suffix(tmp_path / "a.gif") == photo.encoding.suffix == ".png"
    write_photo(tmp_path / "a.png", photo)
    np.testing.assert_array_equal(
        np.asarray(PIL.Image.open(tmp_path / "a.png"))[..., 3], photo.alpha
    )


def test_several_frames_are_refused(tmp_path):
    frames = [PIL.Image.fromarray(COLOURS + np.uint8(80 * i)) for i in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageReadError, match="animated GIFs are not supported"):
        read_photo(tmp_path / "a.gif")
