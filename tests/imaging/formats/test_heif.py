from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from PIL import ImageOps
from PIL.ExifTags import Base
from skimage import data as photographs

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import Photo, read_photo, write_photo
from deblur_cli.imaging.exif import ExifBlock
from deblur_cli.imaging.formats.heif import HeifEncoding
from tests.shared import shared_file

heif = pytest.importorskip("pillow_heif")

PIXELS = photographs.astronaut()[100:164, 150:230]


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_and_depth_come_back(tmp_path, bits, channels):
    pixels = PIXELS if bits == 8 else PIXELS.astype(np.uint16) * 257
    is_grey = channels <= 2
    given = Photo(
        pixels=pixels[:, :, :1].repeat(3, 2) if is_grey else pixels,
        encoding=HeifEncoding(bits),
        alpha=np.ascontiguousarray(pixels[:, :, 1]) if channels in (2, 4) else None,
        greyscale=is_grey,
    )
    write_photo(tmp_path / "a.heic", given)
    after = read_photo(tmp_path / "a.heic")
    full = np.iinfo(pixels.dtype).max
    assert after.encoding.bits == bits
    assert np.abs(after.pixels.astype(float) - given.pixels).mean() < 0.02 * full
    assert (after.alpha is None) == (given.alpha is None)
    if given.alpha is not None:
        assert np.abs(after.alpha.astype(float) - given.alpha).mean() < 0.02 * full


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path, orientation):
    image = PIL.Image.fromarray(PIXELS)
    exif = image.getexif()
    exif[Base.Orientation] = orientation
    with (tmp_path / "a.heic").open("wb") as file:
        heif.encode("RGB", image.size, image.tobytes(), file, quality=95, exif=exif.tobytes())
    photo = read_photo(tmp_path / "a.heic")
    upright = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    assert np.abs(photo.pixels - upright).mean() < 3
    assert ExifBlock(photo.metadata.exif).orientation == 1


def test_a_real_photo_keeps_its_metadata(tmp_path):
    source = read_photo(shared_file("odd", "heif", "pug.heic"))
    assert source.notes == ("its depth or gain map is left out",)
    small = Photo(source.pixels[:64, :64], source.encoding, metadata=source.metadata)
    write_photo(tmp_path / "a.heic", small)
    after = read_photo(tmp_path / "a.heic").metadata
    assert (after.icc, after.xmp) == (source.metadata.icc, source.metadata.xmp)
    assert len(after.exif) == len(source.metadata.exif)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_tiled_photo_that_is_cut_off_is_refused(tmp_path, part):
    content = shared_file("odd", "heif", "pug.heic").read_bytes()
    (tmp_path / "a.heic").write_bytes(content[: int(part * len(content))])
    with pytest.raises(ImageReadError, match="damaged or incomplete HEIF file: it is cut off"):
        read_photo(tmp_path / "a.heic")
