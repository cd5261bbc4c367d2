from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.data.camera import Picture
from deblur_cli.data.crops import (
    Augment,
    augment,
    flips,
    flips_and_rotations,
    flips_rotations_and_saturation,
    is_flat,
    random_crop,
    saturated,
    squared_error,
    whole,
)

seeds = st.integers(0, 2**32 - 1)


def numbered(height: int, width: int) -> Picture:
    """A picture whose pixels tell where they are: (row, column, 7)."""
    picture = np.full((height, width, 3), 7, np.uint8)
    picture[..., 0] = np.arange(height)[:, None]
    picture[..., 1] = np.arange(width)
    return picture


@settings(deadline=None)
@given(seeds, st.integers(1, 60), st.integers(0, 40), st.integers(0, 40))
def test_a_crop_lies_within_both_pictures_at_one_place(
    seed: int, size: int, more_rows: int, more_columns: int
) -> None:
    sharp = numbered(size + more_rows, size + more_columns)
    pair = random_crop(np.random.default_rng(seed), (sharp, sharp), size)
    for crop in pair:
        assert crop.shape == (size, size, 3)
        assert np.all(np.diff(crop[..., 0].astype(int), axis=0) == 1)
        assert np.all(np.diff(crop[..., 1].astype(int), axis=1) == 1)
    assert np.array_equal(*pair)


def test_every_place_is_reached() -> None:
    picture = numbered(6, 7)
    rng = np.random.default_rng(0)
    places = {tuple(random_crop(rng, (picture, picture), 4)[0][0, 0, :2]) for _ in range(300)}
    assert len(places) == 3 * 4


def test_a_picture_smaller_than_the_crop_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot crop 16x16 from 20x8"):
        random_crop(np.random.default_rng(0), (numbered(8, 20),) * 2, 16)


@settings(deadline=None)
@given(seeds)
def test_both_pictures_are_augmented_alike(seed: int) -> None:
    sharp = np.random.default_rng(0).integers(0, 128, (9, 9, 3), np.uint8)
    first, second = augment(np.random.default_rng(seed), (sharp * 2, sharp))
    assert np.array_equal(first, second * 2)
    assert np.array_equal(np.sort(second, axis=None), np.sort(sharp, axis=None))


def test_all_eight_orientations_occur_and_channels_seldom_change() -> None:
    picture = numbered(5, 5)
    rng = np.random.default_rng(1)
    seen = [augment(rng, (picture, picture))[0] for _ in range(600)]
    unpermuted = [view for view in seen if np.all(view[..., 2] == 7)]
    assert len({view.tobytes() for view in unpermuted}) == 8
    assert 0.8 < len(unpermuted) / len(seen) < 0.95


@pytest.mark.parametrize(("way", "ways"), [(flips, 4), (flips_and_rotations, 8)])
def test_each_way_of_flips_or_with_rotations_is_as_likely(way: Augment, ways: int) -> None:
    picture = numbered(5, 5)
    rng = np.random.default_rng(1)
    pairs = [way(rng, (picture * 2, picture)) for _ in range(1200)]
    assert all(np.array_equal(first, second * 2) for first, second in pairs)
    counts = Counter(second.tobytes() for _, second in pairs)
    assert len(counts) == ways
    assert max(counts.values()) < 1.35 * 1200 / ways


def test_flips_keep_the_shape_of_a_picture_that_is_not_square() -> None:
    picture = numbered(4, 7)
    for seed in range(8):
        flipped, _ = flips(np.random.default_rng(seed), (picture, picture))
        assert flipped.shape == (4, 7, 3)
        assert flipped[0, 0, 0] in (0, 3)
        assert flipped[0, 0, 1] in (0, 6)


def test_sky_is_flat_and_gravel_is_not() -> None:
    gravel = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    assert is_flat(np.full((32, 32, 3), 180, np.uint8))
    assert not is_flat(gravel)


def test_squared_error_is_the_mean_over_pixels_and_channels() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 256, (9, 11, 3), np.uint8) for _ in range(2))
    expected = np.mean((first.astype(float) - second) ** 2)
    assert squared_error((first, second)) == pytest.approx(expected)


def test_a_whole_pair_is_brought_to_a_square() -> None:
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 256, (12, 20, 3), np.uint8)
    blurred, small = whole(rng, (sharp // 2, sharp), 4)
    means = sharp.reshape(4, 3, 4, 5, 3).mean(axis=(1, 3))
    assert small == pytest.approx(means, abs=0.51)
    assert blurred.shape == (4, 4, 3)


def test_saturation_keeps_grey_and_moves_colours_away_from_it() -> None:
    picture = np.array([[[90, 90, 90], [200, 100, 50], [250, 10, 10]]], np.uint8)
    more, less = saturated(picture, 1.2), saturated(picture, 0.8)
    grey = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    assert more[0, 1] == pytest.approx(grey + 1.2 * (picture[0, 1] - grey), abs=0.51)
    assert less[0, 1] == pytest.approx(grey + 0.8 * (picture[0, 1] - grey), abs=0.51)
    assert more[0, 0].tolist() == less[0, 0].tolist() == [90, 90, 90]
    assert more[0, 2].tolist()[0] == 255


def test_a_third_of_the_patches_changes_its_saturation_alike_in_both_pictures() -> None:
    picture = np.full((4, 4, 3), (200, 100, 50), np.uint8)
    rng = np.random.default_rng(2)
    pairs = [flips_rotations_and_saturation(rng, (picture, picture)) for _ in range(300)]
    assert all(np.array_equal(blurred, sharp) for blurred, sharp in pairs)
    changed = sum(not np.array_equal(sharp, picture) for _, sharp in pairs)
    assert 75 < changed < 125
