from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from deblur_cli.reporting.views import LONGEST, Pair, compared, drawn
from tests.reporting.reports import pair


def _pixels(jpeg: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.format == "JPEG"
        return np.asarray(image).astype(int)


def _is_part(shown: Pair, before: np.ndarray, after: np.ndarray) -> bool:
    left, top, right, bottom = shown.box
    files = ((shown.before, before), (shown.after, after))
    errors = [np.abs(_pixels(jpeg) - whole[top:bottom, left:right]).mean() for jpeg, whole in files]
    return max(errors) < 3


@pytest.mark.parametrize(("dtype", "full"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_change_is_the_mean_difference_whatever_the_depth(dtype: type, full: int) -> None:
    rng = np.random.default_rng(1)
    shares = rng.random((2, 30, 40, 3))
    before, after = (shares * full).astype(dtype)
    expected = np.abs(before.astype(float) - after.astype(float)).mean() / full
    assert compared(before, after).change == pytest.approx(expected, rel=1e-5)


def test_sharper_picture_scores_higher() -> None:
    scores = compared(*pair())
    assert scores.before < scores.after <= 1


def test_large_picture_is_shrunk_and_its_crops_are_not() -> None:
    before, after = pair(size=(3000, 1500))
    after[700:760, 2000:2060] = 0
    view = drawn(before, after)
    assert (view.whole.width, view.whole.height) == (LONGEST, LONGEST // 2)
    assert _pixels(view.whole.before).shape == (LONGEST // 2, LONGEST, 3)
    assert 1 <= len(view.crops) <= 3
    for crop in view.crops:
        assert (crop.width, crop.height) == (384, 256)
        assert _is_part(crop, before, after)
    left, top, right, bottom = view.crops[0].box
    assert left <= 2000 < 2060 <= right
    assert top <= 700 < 760 <= bottom


def test_small_picture_is_shown_as_it_is_and_without_crops() -> None:
    before, after = (np.full((40, 50, 3), value, np.uint8) for value in (60, 90))
    view = drawn(before, after)
    assert view.crops == ()
    assert _is_part(view.whole, before, after)


def test_sixteen_bits_and_floats_look_like_eight() -> None:
    before, after = (np.full((40, 50, 3), value, np.uint8) for value in (60, 90))
    for scale, dtype in ((257, np.uint16), (1 / 255, np.float32)):
        deeper = ((each * np.float64(scale)).astype(dtype) for each in (before, after))
        view = drawn(*deeper)
        assert _is_part(view.whole, before, after)
