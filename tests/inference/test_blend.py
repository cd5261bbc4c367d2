from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from deblur_cli.inference.blend import Band, Canvas, ramp
from deblur_cli.inference.tiles import Size, tile_grid

OVERLAP = 24


CPU = torch.device("cpu")


def paste(values: np.ndarray, offsets: bool = False) -> np.ndarray:
    """Cut a float32 picture into tiles and blend them again; `offsets` adds 1 to odd tiles."""
    height, width = values.shape[:2]
    picture = torch.from_numpy(values)
    canvas = Canvas(height, OVERLAP)
    rows = []
    for i, row in enumerate(tile_grid(Size(height, width), 64, OVERLAP, 8).rows()):
        band = Band(width, OVERLAP)
        for j, tile in enumerate(row):
            assert not band.complete
            offset = float(offsets and (i + j) % 2)
            band.add(tile.left, picture[tile.rows, tile.columns] + offset)
        assert band.complete
        rows.append(canvas.add(row[0].top, band.pixels).clone())
    assert canvas.complete
    return torch.cat(rows).numpy()


@given(st.integers(1, 200))
def test_a_ramp_and_its_mirror_sum_to_one(length: int) -> None:
    weights = ramp(length, CPU)
    np.testing.assert_allclose(weights + weights.flip(0), 1, atol=1e-6)
    assert (weights.diff() > 0).all()


@given(st.integers(1, 180), st.integers(1, 180), st.integers(0, 2**32 - 1))
def test_what_tiles_agree_on_comes_through_bit_by_bit(height: int, width: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((height, width, 3), np.float32)
    np.testing.assert_array_equal(paste(values), values)


def test_a_constant_stays_exactly_constant() -> None:
    result = paste(np.full((150, 170, 3), 0.3, np.float32))
    assert np.unique(result).size == 1


def test_a_linear_ramp_is_reproduced() -> None:
    slope = np.linspace(0, 1, 170, dtype=np.float32)[None, :, None] * np.ones(
        (150, 1, 3), np.float32
    )
    np.testing.assert_array_equal(paste(slope), slope)


def test_tiles_that_disagree_fade_into_each_other_without_a_step() -> None:
    result = paste(np.zeros((150, 170, 3), np.float32), offsets=True)
    steepest = ramp(OVERLAP, CPU).diff().max().item()
    assert result.min() == 0 and result.max() == 1
    assert np.abs(np.diff(result, axis=0)).max() <= steepest + 1e-6
    assert np.abs(np.diff(result, axis=1)).max() <= steepest + 1e-6


def test_a_canvas_goes_on_with_smaller_bands_where_it_stands() -> None:
    values = torch.rand((200, 40, 3), generator=torch.Generator().manual_seed(0))
    canvas = Canvas(200, OVERLAP)
    rows = [canvas.add(0, values[:100].clone()).clone()]
    assert canvas.finished == 100 - OVERLAP and not canvas.complete
    start = canvas.finished
    rows.extend(
        canvas.add(top, values[top : top + 54].clone()).clone()
        for top in (start, start + 30, start + 60, 200 - 54)
    )
    assert canvas.complete
    assert torch.equal(torch.cat(rows), values)
