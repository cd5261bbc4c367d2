from __future__ import annotations

import pytest

from deblur_cli.errors import RestoreError, UsageError
from deblur_cli.inference.tile_size import Cut, TileSize, check_tile
from deblur_cli.inference.tiles import Size


def test_the_limit_holds_for_large_pictures_only() -> None:
    tile = TileSize(512, 32, 16)
    assert tile.side(Size(2000, 300)) == 512
    assert tile.side(Size(100, 300)) == 304


def test_without_a_limit_the_tile_is_the_picture() -> None:
    assert TileSize(None, 32, 16).side(Size(2000, 3000)) == 3008


def test_a_tile_that_was_too_large_is_not_tried_again() -> None:
    tile, picture = TileSize(None, 32, 16), Size(2000, 3000)
    assert tile.shrink(picture, Cut(3008, picture, 1)) == (
        "out of memory: tiles of 3008 cut to 1504 pixels"
    )
    assert tile.side(picture) == 1504
    tile.shrink(picture, Cut(1504, Size(1504, 1504), 1))
    assert tile.side(picture) == 752


def test_of_several_tiles_at_a_time_there_are_fewer_before_they_get_smaller() -> None:
    tile, picture = TileSize(256, 32, 16, at_once=10 * 256**2), Size(500, 2000)
    said = tile.shrink(picture, Cut(256, Size(256, 256), 5))
    assert said == "out of memory: 5 tiles at a time cut to 2"
    assert (tile.side(picture), tile.at_once) == (256, 2 * 256**2)
    tile.shrink(picture, Cut(256, Size(256, 256), 2))
    assert (tile.side(picture), tile.at_once) == (256, 256**2)
    tile.shrink(picture, Cut(256, Size(256, 256), 1))
    assert (tile.side(picture), tile.at_once) == (128, 256**2 // 2)


def test_below_the_smallest_tile_there_is_nothing_left_to_try() -> None:
    tile, picture = TileSize(80, 32, 16), Size(500, 500)
    tile.shrink(picture, Cut(80, Size(80, 80), 1))
    assert tile.side(picture) == 64
    with pytest.raises(RestoreError, match="not enough memory"):
        tile.shrink(picture, Cut(64, Size(64, 64), 1))


@pytest.mark.parametrize(("tile", "overlap"), [(63, 32), (64, 40), (1, 0), (-5, 32), (512, -1)])
def test_tiles_that_make_no_sense_are_refused(tile: int, overlap: int) -> None:
    with pytest.raises(UsageError):
        check_tile(tile, overlap, 16)


@pytest.mark.parametrize("tile", ["auto", 0, 64, 1000])
def test_sensible_tiles_pass(tile: object) -> None:
    check_tile(tile, 32, 16)  # type: ignore[arg-type]
