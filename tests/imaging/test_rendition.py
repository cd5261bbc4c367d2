from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from skimage.color import deltaE_ciede2000, rgb2lab

from deblur_cli.imaging.formats.png import PngEncoding
from deblur_cli.imaging.icc import linear_srgb
from deblur_cli.imaging.photo import Metadata, Photo
from deblur_cli.imaging.rendition import render
from tests.imaging import profiles
from tests.imaging.profiles import SPACES, decode, encode, grey_profile, profile, table_profile

INTEGERS = ("uint8", "uint16")
DEPTHS = (*INTEGERS, "float32")


def some(dtype, *, seed=0, size=(30, 40)):
    values = np.random.default_rng(seed).random((*size, 3))
    return (values * scale(dtype)).astype(dtype)


def scale(dtype):
    return 1 if dtype == "float32" else np.iinfo(dtype).max


def make_photo(pixels, icc=None, **more):
    return Photo(pixels, PngEncoding(), metadata=Metadata(icc=icc), **more)


PROFILES = {name: profile(name) for name in SPACES} | {
    "none": None,
    "linear": linear_srgb(),
    "tables": table_profile(),
    "damaged": b"damaged",
}


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("name", PROFILES)
def test_what_the_network_leaves_alone_stays_bit_by_bit(name, dtype):
    alpha = (some(dtype, seed=1)[..., 0] * (some("uint8", seed=2)[..., 0] > 80)).astype(dtype)
    photo = make_photo(some(dtype), PROFILES[name], alpha=alpha)
    rendition = render(photo)
    result = rendition.restored(rendition.pixels.copy())
    assert_array_equal(result.pixels, photo.pixels)
    assert_array_equal(result.alpha, alpha)
    assert result.pixels.dtype == dtype
    assert result.metadata.icc == PROFILES[name]


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("name", SPACES)
def test_the_network_sees_srgb(name, dtype):
    photo = make_photo(some(dtype), profile(name))
    seen = render(photo).pixels
    assert seen.dtype == np.uint16
    linear = profiles.linear_srgb_of(name, photo.pixels / scale(dtype))
    assert_allclose(seen / 65535, encode(linear.clip(0, 1)), atol=3e-3)


def within_srgb(name, dtype, seed):
    """Samples that mean random colours of sRGB's gamut, by the published formulas."""
    encoded = some("float32", seed=seed).astype(np.float64)
    samples = profiles.from_linear_srgb(name, decode(encoded)) * scale(dtype)
    return (samples if dtype == "float32" else np.rint(samples)).astype(dtype), encoded


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("name", SPACES)
def test_what_the_network_gives_comes_back_as_the_same_colour(name, dtype):
    before, _ = within_srgb(name, dtype, seed=3)
    expected, wanted = within_srgb(name, dtype, seed=4)
    given = np.rint(wanted * 65535).astype(np.uint16)
    result = render(make_photo(before, profile(name))).restored(given).pixels
    if dtype == "uint8":
        away = np.abs(result.astype(int) - expected)
        assert away.max() <= 2
        assert (away <= 1).mean() > 0.999
    else:
        got = encode(profiles.linear_srgb_of(name, result / scale(dtype)).clip(0, 1))
        assert deltaE_ciede2000(rgb2lab(got), rgb2lab(wanted)).max() < 0.25


@pytest.mark.parametrize("dtype", INTEGERS)
def test_colours_outside_srgb_stay_outside(dtype):
    vivid = np.zeros((4, 4, 3), dtype)
    vivid[..., 1] = scale(dtype)
    photo = make_photo(vivid, profile("Rec. 2020"))
    rendition = render(photo)
    darker = (rendition.pixels * 0.9).astype(np.uint16)
    result = rendition.restored(darker).pixels / scale(dtype)
    assert profiles.linear_srgb_of("Rec. 2020", result).min() < -0.1
    assert result[..., 1].max() < 1


def test_srgb_pictures_are_passed_on_as_they_are():
    photo = make_photo(some("uint8"))
    rendition = render(photo)
    assert rendition.pixels is photo.pixels
    other = some("uint8", seed=1)
    assert rendition.restored(other).pixels is other


def test_linear_floats_are_seen_as_srgb_and_keep_their_highlights():
    light = np.linspace(0, 4, 300, dtype=np.float32).reshape(10, 10, 3)
    rendition = render(make_photo(light))
    assert_allclose(rendition.pixels / 65535, encode(light.clip(0, 1).astype(float)), atol=2e-5)
    dimmed = (rendition.pixels * 0.5).astype(np.uint16)
    result = rendition.restored(dimmed).pixels
    expected = light + decode(dimmed / 65535) - decode(rendition.pixels / 65535)
    assert_allclose(result, expected, atol=1e-5)
    assert result.max() > 3


@given(arrays(np.float32, (5, 6, 3), elements=st.floats(width=32)), st.booleans())
@settings(deadline=None, max_examples=30)
def test_floats_of_any_kind_are_survived(pixels, has_profile):
    photo = make_photo(pixels, profile("Adobe RGB") if has_profile else None)
    rendition = render(photo)
    seen = rendition.pixels
    assert_array_equal(rendition.restored(seen.copy()).pixels, pixels)
    changed = rendition.restored(seen // 2).pixels
    assert_array_equal(np.isfinite(changed) | ~np.isfinite(pixels), True)


@pytest.mark.parametrize("icc", [None, linear_srgb()])
def test_floats_that_are_not_from_0_to_1_are_told(icc):
    (note,) = render(make_photo(some("float32") * 255, icc)).photo.notes
    assert "brighter than white" in note
    highlights = some("float32") * 1.5
    assert render(make_photo(highlights, icc)).photo.notes == ()
    assert render(make_photo(some("uint8"), icc)).photo.notes == ()


def test_grey_pictures_with_a_grey_profile_stay_grey():
    pixels = np.repeat(some("uint8")[..., :1], 3, axis=2)
    rendition = render(make_photo(pixels, grey_profile(), greyscale=True))
    assert_allclose(rendition.pixels / 65535, encode((pixels / 255) ** 1.8), atol=1e-3)
    result = rendition.restored(rendition.pixels // 2).pixels
    assert (np.ptp(result, axis=2) == 0).all()
    assert result.mean() < pixels.mean()


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("icc", [b"damaged", grey_profile()])
def test_a_profile_that_does_not_fit_is_told_and_kept(icc, dtype):
    photo = make_photo(some(dtype), icc, notes=("something else",))
    rendition = render(photo)
    assert_array_equal(rendition.pixels, render(make_photo(photo.pixels)).pixels)
    first, note = rendition.photo.notes
    assert first == "something else"
    assert "its colour profile is" in note
    assert "taken as" in note
    assert rendition.restored(rendition.pixels).metadata.icc == icc


def test_a_picture_of_another_shape_or_dtype_is_refused():
    rendition = render(make_photo(some("uint8"), profile("Adobe RGB")))
    for wrong in (rendition.pixels[1:], rendition.pixels.astype(np.uint8)):
        with pytest.raises(ValueError, match="no restored rendition"):
            rendition.restored(wrong)


def blurred(pixels):
    """A stand-in for a network that looks at neighbours: the mean of 7 x 7 pixels."""
    import cv2

    return cv2.blur(pixels, (7, 7), borderType=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize("icc", [None, profile("Display P3")], ids=["sRGB", "P3"])
def test_outlines_before_transparent_black_do_not_darken(icc):
    pixels, alpha = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8)
    pixels[10:30, 10:30], alpha[10:30, 10:30] = (200, 150, 100), 255
    alpha[10, 10:30] = 128
    rendition = render(make_photo(pixels, icc, alpha=alpha))
    result = rendition.restored(blurred(rendition.pixels))
    assert_allclose(result.pixels[alpha > 0], pixels[alpha > 0], atol=1)
    assert_array_equal(result.pixels[alpha == 0], 0)
    assert_array_equal(result.alpha, alpha)
    opaque = render(replace(rendition.photo, alpha=None))
    assert opaque.restored(blurred(opaque.pixels)).pixels[10, 10].max() < 150
