from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.errors import UsageError
from deblur_cli.inspection.crops import crop_around, crops_across

SIDES = st.integers(1, 40)


def _numbered(height: int, width: int) -> np.ndarray:
    """Every pixel tells its row and column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack((rows, columns, rows * 0), axis=-1).astype(np.uint8)


@settings(deadline=None)
@given(height=SIDES, width=SIDES, side=SIDES, data=st.data())
def test_crop_holds_the_pixel_as_near_to_its_middle_as_can_be(
    height: int, width: int, side: int, data: st.DataObject
) -> None:
    column = data.draw(st.integers(0, width - 1))
    row = data.draw(st.integers(0, height - 1))
    crop = crop_around(_numbered(height, width), (column, row), side)
    assert crop.shape == (1, 3, min(side, height), min(side, width))
    indices = (crop[0, :2] * 255).round().int()
    for axis, wanted, length in ((0, row, height), (1, column, width)):
        found = indices[axis].unique()
        assert wanted in found
        first, last = int(found[0]), int(found[-1])
        assert first == 0 or last == length - 1 or found[len(found) // 2] == wanted


def test_middle_is_the_default() -> None:
    picture = _numbered(20, 30)
    assert torch.equal(crop_around(picture, None, 8), crop_around(picture, (15, 10), 8))


@pytest.mark.parametrize("point", [(30, 0), (0, 20)])
def test_pixel_outside_is_refused(point: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=r"columns are 0 to 29, rows 0 to 19"):
        crop_around(_numbered(20, 30), point, 8)


def test_sixteen_bits_and_floats_are_crops_too() -> None:
    assert crop_around(np.full((4, 4, 3), 65535, np.uint16), None, 4).max() == 1
    assert crop_around(np.full((4, 4, 3), 0.5, np.float32), None, 4).max() == 0.5


def test_crops_differ_from_each_other() -> None:
    assert len(crops_across(_numbered(40, 40), None, 10)) == 5
    assert len(crops_across(_numbered(40, 40), (10, 10), 10)) == 4
    assert len(crops_across(_numbered(10, 10), None, 10)) == 1
