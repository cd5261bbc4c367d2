from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deblur_cli.inference.blend import Canvas, blend_across, ramp
from deblur_cli.inference.tiles import Size, tile_grid

OVERLAP = 24


def paste(values: np.ndarray, dtype: type, offsets: bool = False) -> np.ndarray:
    """Cut a float32 picture into tiles and blend them again; `offsets` adds 1 to odd tiles."""
    height, width = values.shape[:2]
    canvas = Canvas(values.shape, dtype, OVERLAP)
    for i, row in enumerate(tile_grid(Size(height, width), 64, OVERLAP, 8).rows()):
        tiles = (
            (r.left, values[r.rows, r.columns] + np.float32(offsets and (i + j) % 2))
            for j, r in enumerate(row)
        )
        canvas.add(row[0].top, blend_across(tiles, width, OVERLAP))
    assert canvas.complete
    return canvas.result


@given(st.integers(1, 200))
def test_a_ramp_and_its_mirror_sum_to_one(length: int) -> None:
    weights = ramp(length)
    np.testing.assert_allclose(weights + weights[::-1], 1, atol=1e-6)
    assert (np.diff(weights) > 0).all()


@given(st.integers(1, 180), st.integers(1, 180), st.integers(0, 2**32 - 1))
def test_what_tiles_agree_on_comes_through_bit_by_bit(height: int, width: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((height, width, 3), np.float32)
    np.testing.assert_array_equal(paste(values, np.float32), values)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_constant_stays_exactly_constant(dtype: type) -> None:
    result = paste(np.full((150, 170, 3), 0.3, np.float32), dtype)
    assert np.unique(result).size == 1


def test_a_linear_ramp_is_reproduced() -> None:
    slope = np.linspace(0, 1, 170, dtype=np.float32)[None, :, None] * np.ones(
        (150, 1, 3), np.float32
    )
    np.testing.assert_array_equal(paste(slope, np.float32), slope)


def test_tiles_that_disagree_fade_into_each_other_without_a_step() -> None:
    result = paste(np.zeros((150, 170, 3), np.float32), np.float32, offsets=True)
    steepest = np.diff(ramp(OVERLAP)).max()
    assert result.min() == 0 and result.max() == 1
    assert np.abs(np.diff(result, axis=0)).max() <= steepest + 1e-6
    assert np.abs(np.diff(result, axis=1)).max() <= steepest + 1e-6


def test_a_canvas_goes_on_with_smaller_bands_where_it_stands() -> None:
    values = np.random.default_rng(0).random((200, 40, 3), np.float32)
    canvas = Canvas(values.shape, np.float32, OVERLAP)
    canvas.add(0, values[:100])
    assert canvas.finished == 100 - OVERLAP and not canvas.complete
    start = canvas.finished
    for top in (start, start + 30, start + 60, 200 - 54):
        canvas.add(top, values[top : top + 54])
    assert canvas.complete
    np.testing.assert_array_equal(canvas.result, values)
