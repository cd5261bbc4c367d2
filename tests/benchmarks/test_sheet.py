"""The before/after sheet: where it looks, and how large it is."""

from __future__ import annotations

import numpy as np

from benchmarks.sheet import CROP, draw_sheet, most_detailed_corner


def test_corner_is_where_the_detail_is() -> None:
    rng = np.random.default_rng(3)
    photo = np.full((2 * CROP, 3 * CROP, 3), 128, np.uint8)
    photo[100 : 100 + CROP, 200 : 200 + CROP] = rng.integers(0, 256, (CROP, CROP, 3))
    top, left = most_detailed_corner(photo)
    assert abs(top - 100) <= 1
    assert abs(left - 200) <= 1


def test_sheet_shows_every_version_pixel_for_pixel() -> None:
    rng = np.random.default_rng(4)
    versions = tuple(
        (label, rng.integers(0, 256, (CROP, CROP, 3), dtype=np.uint8)) for label in ("a", "b")
    )
    sheet = np.asarray(draw_sheet([versions, versions]))
    for _, pixels in versions:
        found = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], (1, CROP))[:, :, 0]
        assert (found == pixels[0, :, 0]).all(axis=-1).sum() == 2
