from __future__ import annotations

from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
import tifffile
from PIL.ExifTags import IFD, Base

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import Metadata, Photo, read_photo, write_photo
from deblur_cli.imaging.tiff import TiffEncoding

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (40, 50, 3), np.uint8)


def rewritten(source):
    result = source.with_name("result.tif")
    write_photo(result, read_photo(source))
    return PIL.Image.open(result)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_lossless_compression_is_kept(tmp_path, compression):
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.tif", compression=compression)
    result = rewritten(tmp_path / "a.tif")
    assert result.info["compression"] == compression
    np.testing.assert_array_equal(np.asarray(result), PIXELS)


def test_lossy_compression_is_not_repeated(tmp_path):
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.tif", compression="jpeg", quality=60)
    result = rewritten(tmp_path / "a.tif")
    assert result.info["compression"] == "tiff_adobe_deflate"
    np.testing.assert_array_equal(np.asarray(result), read_photo(tmp_path / "a.tif").pixels)


@pytest.mark.parametrize("options", [{"bigtiff": True}, {"byteorder": ">"}, {"tile": (16, 16)}])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_any_layout_is_read(tmp_path, options, planes):
    container = {key: value for key, value in options.items() if key != "tile"}
    samples = np.moveaxis(PIXELS, 2, 0) if planes == "separate" else PIXELS
    with tifffile.TiffWriter(tmp_path / "a.tif", **container) as file:
        file.write(samples, photometric="rgb", planarconfig=planes, tile=options.get("tile"))
    np.testing.assert_array_equal(np.asarray(rewritten(tmp_path / "a.tif")), PIXELS)


def test_white_may_be_zero(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(np.asarray(rewritten(tmp_path / "a.tif")), 255 - PIXELS[..., 0])


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_descriptive_tags_are_kept(tmp_path, compression):
    exif = PIL.Image.Exif()
    exif[270], exif[272], exif[700] = "A description", "Model", b"<x:xmpmeta/>"
    exif[IFD.Exif], exif[IFD.GPSInfo] = {0x8827: 200}, {1: "S"}
    PIL.Image.fromarray(PIXELS).save(
        tmp_path / "a.tif", exif=exif.tobytes(), icc_profile=b"icc", dpi=(300, 300)
    )
    photo = replace(read_photo(tmp_path / "a.tif"), encoding=TiffEncoding(compression))
    write_photo(tmp_path / "b.tif", photo)
    result = rewritten(tmp_path / "b.tif")
    tags = result.getexif()
    assert (tags[270], tags[272], tags[700]) == ("A description", "Model", b"<x:xmpmeta/>")
    assert tags.get_ifd(IFD.Exif)[0x8827] == 200
    assert tags.get_ifd(IFD.GPSInfo)[1] == "S"
    assert result.info["icc_profile"] == b"icc"
    assert result.info["dpi"] == (300, 300)


def test_camera_tags_survive_without_any_other(tmp_path):
    exif = PIL.Image.Exif()
    exif[IFD.Exif] = {0x8827: 200}
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.tif", exif=exif.tobytes())
    assert rewritten(tmp_path / "a.tif").getexif().get_ifd(IFD.Exif)[0x8827] == 200


def test_a_block_that_describes_other_pixels_does_no_harm(tmp_path):
    exif = PIL.Image.Exif()
    exif[256], exif[257], exif[258], exif[274], exif[315] = 9, 9, 16, 6, "someone"
    photo = Photo(PIXELS, TiffEncoding(), metadata=Metadata(exif=exif.tobytes()))
    write_photo(tmp_path / "a.tif", photo)
    result = PIL.Image.open(tmp_path / "a.tif")
    np.testing.assert_array_equal(np.asarray(result), PIXELS)
    assert result.getexif()[315] == "someone"


def test_camera_tags_give_the_upright_size(tmp_path):
    exif = PIL.Image.Exif()
    exif[Base.Orientation] = 6
    exif[IFD.Exif] = {Base.ExifImageWidth: 50, Base.ExifImageHeight: 40}
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.tif", exif=exif.tobytes())
    result = rewritten(tmp_path / "a.tif")
    camera = result.getexif().get_ifd(IFD.Exif)
    assert result.size == (40, 50)
    assert (camera[Base.ExifImageWidth], camera[Base.ExifImageHeight]) == (40, 50)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"])
@pytest.mark.parametrize("part", [0.01, 0.5, 0.99])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_file_that_is_cut_off_is_said_to_be_damaged(tmp_path, compression, part):
    path = tmp_path / "a.tif"
    PIL.Image.fromarray(PIXELS).save(path, compression=compression)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(ImageReadError, match="damaged or incomplete TIFF"):
        read_photo(path)
