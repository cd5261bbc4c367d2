from __future__ import annotations

from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
import tifffile
from PIL.ExifTags import IFD, Base

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import Metadata, Photo, read_photo, write_photo
from deblur_cli.imaging.formats.tiff import TiffEncoding

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (40, 50, 3), np.uint8)
LAYOUTS = [
    {"compression": None},
    {"compression": "lzw", "predictor": True, "rowsperstrip": 7},
    {"compression": "zlib", "tile": (16, 32)},
    {"compression": "zstd", "planarconfig": "separate"},
    {"compression": "packbits", "byteorder": ">"},
]


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


@pytest.mark.parametrize("compression", ["NONE", "LZW"])
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
    photo = Photo(PIXELS, TiffEncoding(), metadata=Metadata(exif=exif.tobytes()[6:]))
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


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("options", LAYOUTS, ids=str)
def test_samples_and_layout_come_back(tmp_path, dtype, channels, options):
    samples = (RNG.random((40, 50, channels)) * (9 if np.dtype(dtype).kind == "f" else 255)).astype(
        dtype
    )
    if dtype == np.uint16:
        samples *= 200
    planes = options.get("planarconfig") == "separate" and channels > 1
    kind = {k: v for k, v in options.items() if k != "planarconfig" or channels > 1}
    stored = np.moveaxis(samples, 2, 0) if planes else np.squeeze(samples)
    alpha = {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
    colours = {"photometric": "rgb" if channels >= 3 else "minisblack"}
    tifffile.imwrite(tmp_path / "a.tif", stored, metadata=None, **kind, **alpha, **colours)
    write_photo(tmp_path / "b.tif", read_photo(tmp_path / "a.tif"))
    with tifffile.TiffFile(tmp_path / "a.tif") as a, tifffile.TiffFile(tmp_path / "b.tif") as b:
        before, after = a.pages.first, b.pages.first
        np.testing.assert_array_equal(after.asarray(), before.asarray())
        assert after.dtype == dtype
        for setting in ("compression", "predictor", "tile", "rowsperstrip", "planarconfig"):
            assert getattr(after, setting) == getattr(before, setting), setting


def test_twelve_bits_stay_twelve(tmp_path):
    codes = RNG.integers(0, 4096, (8, 10, 3), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", codes, photometric="rgb", bitspersample=12)
    photo = read_photo(tmp_path / "a.tif")
    assert photo.pixels.max() > 60000
    write_photo(tmp_path / "b.tif", photo)
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages.first.bitspersample == 12
        np.testing.assert_array_equal(file.asarray(), codes)


def test_doubles_become_floats_and_say_so(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 5), 1.5))
    photo = read_photo(tmp_path / "a.tif")
    assert (photo.pixels.dtype, photo.pixels.max()) == (np.float32, 1.5)
    assert photo.notes == ("its 64-bit floats become 32-bit",)


@pytest.mark.parametrize("scale", [1, 257])
def test_a_palette_becomes_colour(tmp_path, scale):
    codes, palette = RNG.integers(0, 256, (8, 9), np.uint8), RNG.integers(0, 256, (3, 256))
    palette[0, 0] = 255
    stored = (palette * scale).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", codes, photometric="palette", colormap=stored)
    photo = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(photo.pixels, palette.T[codes])
    assert photo.notes == ("its palette becomes full colour",)


def test_one_bit_becomes_grey(tmp_path):
    PIL.Image.fromarray(PIXELS[:, :, 0] > 99).save(tmp_path / "a.tif", compression="group4")
    photo = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(photo.pixels[:, :, 0], (PIXELS[:, :, 0] > 99) * 255)
    assert photo.greyscale


@pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.int8, np.complex64])
def test_other_samples_are_refused_by_name(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5), dtype))
    with pytest.raises(ImageReadError, match=f"{np.dtype(dtype).name} TIFFs are not supported"):
        read_photo(tmp_path / "a.tif")


def test_many_channels_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5, 6), np.uint8), planarconfig="contig")
    with pytest.raises(ImageReadError, match="TIFFs of 6 channels are not supported"):
        read_photo(tmp_path / "a.tif")


def test_a_reduced_second_page_is_a_preview(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(PIXELS, photometric="rgb", metadata=None)
        file.write(PIXELS[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)
    assert read_photo(tmp_path / "a.tif").notes == ("its previews are left out",)


def test_camera_data_in_the_other_byte_order_is_converted(tmp_path):
    exif = PIL.Image.Exif()
    exif[315], exif[IFD.Exif] = "someone", {0x8827: 200, 0x829A: 0.125}
    exif.endian = ">"
    photo = Photo(PIXELS, TiffEncoding(), metadata=Metadata(exif=exif.tobytes()[6:]))
    assert photo.metadata.exif.startswith(b"MM")
    write_photo(tmp_path / "a.tif", photo)
    tags = PIL.Image.open(tmp_path / "a.tif").getexif()
    assert tags[315] == "someone"
    assert (tags.get_ifd(IFD.Exif)[0x8827], float(tags.get_ifd(IFD.Exif)[0x829A])) == (200, 0.125)


def test_the_library_prints_nothing_of_damage(tmp_path, capfd):
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.tif", compression="tiff_lzw")
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[8:400] = bytes(392)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ImageReadError, match="damaged or incomplete TIFF"):
        read_photo(tmp_path / "a.tif")
    assert capfd.readouterr().err == ""
