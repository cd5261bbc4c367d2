from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from scipy.ndimage import distance_transform_edt

from deblur_cli.imaging.alpha import fill_transparent, keep_transparent


def some(dtype, shape, seed=0):
    return np.random.default_rng(seed).integers(1, 200, (*shape, 3)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@given(arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))))
@settings(deadline=None, max_examples=40)
def test_hidden_pixels_get_the_colour_of_a_nearest_visible_one(dtype, hidden):
    pixels, alpha = some(dtype, hidden.shape), np.where(hidden, 0, 7).astype(dtype)
    filled = fill_transparent(pixels, alpha)
    assert filled.dtype == dtype
    assert_array_equal(filled[~hidden], pixels[~hidden])
    if hidden.any() and not hidden.all():
        distances = distance_transform_edt(hidden)
        visible = np.argwhere(~hidden)
        for place in np.argwhere(hidden):
            away = np.hypot(*(visible - place).T)
            near = visible[away <= distances[tuple(place)] * 1.1]
            assert any((pixels[tuple(one)] == filled[tuple(place)]).all() for one in near)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_picture_all_alike_is_passed_on(value):
    pixels, alpha = some("uint8", (4, 5)), np.full((4, 5), value, np.uint8)
    assert fill_transparent(pixels, alpha) is pixels


def test_hidden_colours_come_back():
    original, restored = some("uint16", (3, 3)), some("uint16", (3, 3), seed=1)
    alpha = np.array([[0, 1, 2], [0, 0, 65535], [9, 9, 9]], np.uint16)
    kept = keep_transparent(restored, original, alpha)
    assert_array_equal(kept[alpha == 0], original[alpha == 0])
    assert_array_equal(kept[alpha > 0], restored[alpha > 0])
