from __future__ import annotations

import numpy as np
import pytest

from deblur_cli.data.masks import object_mask, smooth_mask


@pytest.mark.parametrize("seed", range(8))
def test_a_smooth_mask_covers_a_good_part_of_the_picture_and_leaves_another(seed: int) -> None:
    mask = smooth_mask(np.random.default_rng(seed), 90, 130, steepness=8)
    assert mask.shape == (90, 130, 1)
    assert mask.dtype == np.float32
    assert 0 <= mask.min() < 0.5 < mask.max() <= 1
    assert np.abs(np.diff(mask, axis=0)).max() < 0.3


@pytest.mark.parametrize("seed", range(8))
def test_an_object_mask_is_a_soft_edged_shape(seed: int) -> None:
    mask = object_mask(np.random.default_rng(seed), 90, 130)
    assert mask.shape == (90, 130, 1)
    assert 0 < mask.mean() < 0.6
    assert np.mean((mask > 0.01) & (mask < 0.99)) < 0.2
