from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from deblur_cli.imaging.colour import Shaper
from deblur_cli.imaging.icc import BadProfileError, Managed, adobe_rgb, colour_space, linear_srgb
from tests.imaging import profiles
from tests.imaging.profiles import SPACES, grey_profile, profile, table_profile

BYTE, WORD, FLOAT = (np.dtype(name) for name in ("uint8", "uint16", "float32"))
TABLES = table_profile()


def some(dtype, *, seed=0):
    """A picture of random samples, among them the least and the greatest."""
    values = np.random.default_rng(seed).random((40, 50, 3))
    values[0, 0], values[0, 1] = 0, 1
    return (values * (1 if dtype == FLOAT else np.iinfo(dtype).max)).round(7).astype(dtype)


def unit(pixels):
    return pixels / (1 if pixels.dtype == FLOAT else np.iinfo(pixels.dtype).max)


@pytest.mark.parametrize("dtype", [BYTE, WORD, FLOAT], ids=str)
@pytest.mark.parametrize("name", SPACES)
def test_light_is_that_of_the_published_formulas(name, dtype):
    space, pixels = colour_space(profile(name), dtype, False), some(dtype)
    assert isinstance(space, Managed if dtype == FLOAT else Shaper)
    expected = profiles.linear_srgb_of(name, unit(pixels))
    assert_allclose(space.to_linear(pixels), expected, atol=1e-3)


@pytest.mark.parametrize("dtype", [BYTE, WORD, FLOAT], ids=str)
@pytest.mark.parametrize("name", SPACES)
def test_changed_light_becomes_the_samples_that_mean_it(name, dtype):
    space = colour_space(profile(name), dtype, False)
    pixels, wanted = some(dtype), some(dtype, seed=1)
    change = space.to_linear(wanted) - space.to_linear(pixels)
    full_scale = 1 if dtype == FLOAT else np.iinfo(dtype).max
    assert_allclose(space.shifted(pixels, change) / full_scale, unit(wanted), atol=2e-3)


@pytest.mark.parametrize("dtype", [BYTE, WORD, FLOAT], ids=str)
@pytest.mark.parametrize("icc", [profile("ProPhoto"), TABLES], ids=["matrix", "tables"])
def test_unchanged_light_leaves_every_sample(icc, dtype):
    space, pixels = colour_space(icc, dtype, False), some(dtype)
    shifted = space.shifted(pixels, np.zeros(pixels.shape, np.float32))
    assert_array_equal(shifted.astype(dtype), pixels)


def test_curves_and_matrix_agree_with_little_cms():
    pixels = some(WORD) // 2 + 9000
    shaper = colour_space(adobe_rgb(), WORD, False)
    exact = Managed(adobe_rgb(), "rgb", 65535)
    assert_allclose(shaper.to_linear(pixels), exact.to_linear(pixels), atol=1e-6)
    change = np.full(pixels.shape, 0.02, np.float32)
    assert_allclose(shaper.shifted(pixels, change), exact.shifted(pixels, change), atol=4)


def test_tables_are_followed_through_little_cms():
    space, pixels = colour_space(TABLES, BYTE, False), some(BYTE)
    assert isinstance(space, Managed)
    expected = profiles.decode(unit(pixels[..., ::-1]))
    assert_allclose(space.to_linear(pixels), expected, atol=0.12)
    lighter = space.shifted(pixels, np.full(pixels.shape, 0.1, np.float32))
    assert (lighter - pixels).mean() > 5


@pytest.mark.parametrize("dtype", [BYTE, WORD], ids=str)
def test_srgb_needs_no_conversion(dtype):
    assert colour_space(bytes(imagecodecs.cms_profile("srgb")), dtype, False) is None
    assert colour_space(bytes(imagecodecs.cms_profile("srgb")), dtype, True) is None


@pytest.mark.parametrize("dtype", [BYTE, WORD, FLOAT], ids=str)
def test_grey_follows_its_curve(dtype):
    space = colour_space(grey_profile(gamma=1.8), dtype, True)
    pixels = np.repeat(some(dtype)[..., :1], 3, axis=2)
    light = unit(pixels) ** 1.8
    assert_allclose(space.to_linear(pixels), light, atol=1e-3)
    full_scale = 1 if dtype == FLOAT else np.iinfo(dtype).max
    half = space.shifted(pixels, (-0.5 * light).astype(np.float32)) / full_scale
    assert_allclose(half, (light / 2) ** (1 / 1.8), atol=3e-3)


def test_linear_light_above_white_and_below_black_survives():
    space = colour_space(linear_srgb(), FLOAT, False)
    pixels = np.array([[[-0.5, 1.5, 40.0]]], np.float32)
    assert_allclose(space.to_linear(pixels), pixels, rtol=1e-4, atol=1e-4)
    assert_allclose(
        space.shifted(pixels, np.full((1, 1, 3), 0.25, np.float32)), pixels + 0.25, rtol=1e-4
    )


@pytest.mark.parametrize(
    ("icc", "reason"),
    [
        (b"", "is damaged"),
        (b"no profile at all, but long enough", "is damaged"),
        (profile("Adobe RGB")[:200], "is damaged"),
        (grey_profile(), "is for GRAY pictures"),
        (bytes(imagecodecs.cms_profile("lab4")), "is for Lab pictures"),
    ],
)
def test_profiles_that_do_not_fit_are_named(icc, reason):
    with pytest.raises(BadProfileError, match=reason):
        colour_space(icc, BYTE, False)


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_damaged_profiles_are_used_or_refused(data):
    icc = bytearray(data.draw(st.sampled_from([profile("Display P3"), TABLES])))
    for place in data.draw(st.lists(st.integers(0, 600), min_size=1, max_size=4)):
        icc[min(place, len(icc) - 1)] = data.draw(st.integers(0, 255))
    try:
        space = colour_space(bytes(icc), BYTE, False)
    except BadProfileError:
        return
    if space is not None:
        pixels = some(BYTE)[:2]
        assert space.to_linear(pixels).shape == pixels.shape
        assert space.shifted(pixels, np.zeros(pixels.shape, np.float32)).shape == pixels.shape
