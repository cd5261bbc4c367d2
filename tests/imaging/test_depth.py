from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deblur_cli.imaging.depth import full_scale, gathered, require, spread


@given(st.integers(1, 65535))
def test_every_code_comes_back_whatever_the_maximum(maximum):
    codes = np.arange(maximum + 1, dtype=np.uint16)
    samples = spread(codes, maximum)
    assert samples.dtype == (np.uint8 if maximum <= 255 else np.uint16)
    assert (samples[0], samples[-1]) == (0, full_scale(samples.dtype))
    np.testing.assert_array_equal(gathered(samples, maximum), codes)


def test_samples_are_in_proportion():
    assert spread(np.array([0, 1, 2, 3]), 3).tolist() == [0, 85, 170, 255]
    assert spread(np.array([512]), 1023).tolist() == [round(512 * 65535 / 1023)]


def test_codes_beyond_the_maximum_mean_white():
    assert spread(np.array([4095], np.uint16), 1023).tolist() == [65535]


def test_other_dtypes_are_refused():
    with pytest.raises(ValueError, match="pixels are float32, not uint8 or uint16"):
        require(np.zeros(3, np.float32), np.uint8, np.uint16)
