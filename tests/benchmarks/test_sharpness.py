from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.sharpness import area_under_curve, blurs, scores
from tests.imaging.test_sharpness import scene


@pytest.mark.parametrize(
    ("sharp", "blurred", "area"),
    [([3, 4], [1, 2], 1), ([1, 2], [3, 4], 0), ([1, 1], [1], 0.5), ([1, 3], [2], 0.5)],
)
def test_area_under_the_curve(sharp, blurred, area):
    assert area_under_curve(sharp, blurred) == area


def test_pairs_and_sharp_photos_are_scored(tmp_path):
    sharp = scene()
    pictures = {"sharp": sharp, "blur": cv2.GaussianBlur(sharp, (0, 0), 2)}
    for name, picture in pictures.items():
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), picture)
    ((truth,), (blurred,)) = scores(tmp_path)
    assert truth > blurred
    ((again,), several) = scores(tmp_path / "sharp")
    assert again == truth
    assert len(several) == len(blurs(sharp))
    assert max(several) < np.float64(truth)
