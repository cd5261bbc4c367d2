from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deblur_cli.inference.tiles import Size, smallest_tile, tile_grid, whole_tile

Layout = tuple[Size, int, int, int, int]


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    multiple = draw(st.sampled_from([1, 8, 16, 32]))
    step = multiple // draw(st.sampled_from([1, 1, 2, 4]))
    overlap = draw(st.integers(0, 70))
    tile = draw(st.integers(smallest_tile(overlap, multiple), 400))
    size = Size(draw(st.integers(1, 900)), draw(st.integers(1, 900)))
    return size, tile, overlap, multiple, max(step, 1)


@given(layouts())
def test_every_pixel_is_covered_by_tiles_that_lie_inside(
    layout: Layout,
) -> None:
    size, *rest = layout
    covered = np.zeros((size.height, size.width), bool)
    for row in tile_grid(size, *rest).rows():
        for region in row:
            assert region.top >= 0 and region.rows.stop <= size.height
            assert region.left >= 0 and region.columns.stop <= size.width
            covered[region.rows, region.columns] = True
    assert covered.all()


@given(layouts())
def test_neighbours_share_the_overlap_and_no_tile_could_be_spared(
    layout: Layout,
) -> None:
    size, tile, overlap, multiple, step = layout
    grid = tile_grid(size, tile, overlap, multiple, step)
    axes = ((grid.tops, grid.tile.height, size.height), (grid.lefts, grid.tile.width, size.width))
    for starts, side, length in axes:
        assert all(b - a <= side - overlap for a, b in pairwise(starts))
        assert list(starts) == sorted(set(starts))
        longest = tile // multiple * multiple
        apart = (longest - overlap) // step * step
        assert side <= tile
        assert len(starts) == 1 or longest + (len(starts) - 2) * apart < length


@given(layouts())
def test_no_smaller_tiles_would_do(layout: Layout) -> None:
    size, tile, overlap, multiple, step = layout
    grid = tile_grid(size, tile, overlap, multiple, step)
    for starts, side, length in (
        (grid.tops, grid.tile.height, size.height),
        (grid.lefts, grid.tile.width, size.width),
    ):
        smaller = side - multiple
        if len(starts) > 1 and smaller >= smallest_tile(overlap, multiple):
            apart = (smaller - overlap) // step * step
            assert smaller + (len(starts) - 1) * apart < length


def test_tiles_share_the_picture_evenly() -> None:
    grid = tile_grid(Size(720, 1280), 1024, 32, 16)
    assert (grid.tile, grid.tops, grid.lefts) == (Size(720, 656), (0,), (0, 624))


def test_finer_steps_waste_less() -> None:
    grid = tile_grid(Size(720, 1280), 512, 32, 64, 16)
    assert (grid.tile, grid.tops, grid.lefts) == (Size(384, 448), (0, 336), (0, 416, 832))
    assert tile_grid(Size(720, 1280), 512, 32, 64).tile == Size(448, 512)


@given(layouts())
def test_tiles_keep_the_phase_of_subsampling_but_for_the_last(
    layout: Layout,
) -> None:
    size, tile, overlap, multiple, step = layout
    grid = tile_grid(size, tile, overlap, multiple, step)
    assert all(start % step == 0 for start in (*grid.tops[:-1], *grid.lefts[:-1]))
    if size.height > tile:
        assert grid.tile.height % multiple == 0


def test_a_picture_smaller_than_a_tile_is_one_whole_tile() -> None:
    grid = tile_grid(Size(31, 50), 64, 16, 16)
    assert (grid.tile, grid.tops, grid.lefts) == (Size(31, 50), (0,), (0,))


def test_the_last_tile_is_moved_inside() -> None:
    grid = tile_grid(Size(64, 200), 64, 16, 16)
    assert grid.lefts == (0, 48, 96, 136)


def test_whole_tile_holds_the_picture() -> None:
    assert whole_tile(Size(100, 61), 16) == 112


@pytest.mark.parametrize("tile", [32, 63])
def test_a_tile_that_is_all_overlap_is_refused(tile: int) -> None:
    with pytest.raises(ValueError, match="cannot overlap"):
        tile_grid(Size(500, 500), tile, 32, 16)
