from __future__ import annotations

import pytest

from deblur_cli.errors import RestoreError, UsageError
from deblur_cli.inference.tile_size import TileSize, check_tile
from deblur_cli.inference.tiles import Size


def test_the_limit_holds_for_large_pictures_only() -> None:
    tile = TileSize(512, 32, 16)
    assert tile.side(Size(2000, 300)) == 512
    assert tile.side(Size(100, 300)) == 304


def test_without_a_limit_the_tile_is_the_picture() -> None:
    assert TileSize(None, 32, 16).side(Size(2000, 3000)) == 3008


def test_a_tile_that_was_too_large_is_not_tried_again() -> None:
    tile = TileSize(None, 32, 16)
    tile.shrink(3008)
    assert tile.side(Size(2000, 3000)) == 1504
    tile.shrink(1504)
    assert tile.side(Size(2000, 3000)) == 752


def test_below_the_smallest_tile_there_is_nothing_left_to_try() -> None:
    tile = TileSize(80, 32, 16)
    tile.shrink(80)
    assert tile.side(Size(500, 500)) == 64
    with pytest.raises(RestoreError, match="not enough memory"):
        tile.shrink(64)


@pytest.mark.parametrize(("tile", "overlap"), [(63, 32), (64, 40), (1, 0), (-5, 32), (512, -1)])
def test_tiles_that_make_no_sense_are_refused(tile: int, overlap: int) -> None:
    with pytest.raises(UsageError):
        check_tile(tile, overlap, 16)


@pytest.mark.parametrize("tile", ["auto", 0, 64, 1000])
def test_sensible_tiles_pass(tile: object) -> None:
    check_tile(tile, 32, 16)  # type: ignore[arg-type]
