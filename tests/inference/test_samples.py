from __future__ import annotations

import numpy as np
import pytest

from deblur_cli.errors import RestoreError
from deblur_cli.inference.samples import check_image, from_unit, to_unit


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_sample_value_comes_back(dtype: type) -> None:
    values = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    unit = to_unit(values)
    assert unit.dtype == np.float32 and unit.min() == 0 and unit.max() == 1
    np.testing.assert_array_equal(from_unit(unit, dtype), values)


def test_unit_samples_lie_in_c_order_whatever_the_input() -> None:
    picture = np.asfortranarray(np.zeros((4, 5, 3), np.uint8))
    assert to_unit(picture).flags.c_contiguous


def test_values_are_clipped_and_rounded_to_the_nearest() -> None:
    values = np.array([-1, 0.499 / 255, 0.501 / 255, 254.6 / 255, 7], np.float32)
    assert from_unit(values, np.uint8).tolist() == [0, 0, 1, 255, 255]
    assert from_unit(values, np.float32).tolist() == np.clip(values, 0, 1).tolist()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float64),
        np.zeros((4, 4, 3), np.int32),
    ],
)
def test_what_is_no_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(RestoreError):
        check_image(image)
