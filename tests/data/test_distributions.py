from __future__ import annotations

import numpy as np

from deblur_cli.data.distributions import LogNormal


def test_half_of_the_draws_lie_below_the_median_and_none_outside_the_bounds() -> None:
    lengths = LogNormal(median=13, sigma=0.6, low=2.5, high=45)
    rng = np.random.default_rng(0)
    draws = np.array([lengths(rng) for _ in range(4000)])
    assert abs(np.mean(draws < 13) - 0.5) < 0.03
    assert draws.min() >= 2.5
    assert draws.max() <= 45
    assert abs(np.std(np.log(draws)) - 0.6) < 0.05
