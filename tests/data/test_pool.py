from __future__ import annotations

import numpy as np
import pytest

from deblur_cli.data.crops import PicturePair
from deblur_cli.data.pool import RollingPool


class CountingSource:
    def __init__(self) -> None:
        self.made = 0

    def __call__(self, rng: np.random.Generator) -> PicturePair:
        self.made += 1
        picture = rng.integers(0, 256, (2, 2, 3), np.uint8)
        return picture, picture


def drawn(pool: RollingPool, count: int, seed: int = 0) -> list[bytes]:
    rng = np.random.default_rng(seed)
    return [pool(rng)[0].tobytes() for _ in range(count)]


def test_each_pair_serves_about_as_many_draws_as_asked() -> None:
    source = CountingSource()
    draws = drawn(RollingPool(source, 1, capacity=20, reuse=4, first=5), 4000)
    assert source.made == len(set(draws))
    assert 4000 / source.made == pytest.approx(4, rel=0.05)


def test_it_grows_from_a_few_pairs_and_rolls_on_when_full() -> None:
    pool = RollingPool(CountingSource(), 1, capacity=20, reuse=2, first=5)
    assert pool.window == range(5)
    drawn(pool, 20)
    assert pool.window == range(15)
    drawn(pool, 80)
    assert pool.window == range(35, 55)


def test_it_makes_nothing_before_the_first_draw() -> None:
    source = CountingSource()
    pool = RollingPool(source, 1)
    assert source.made == 0
    drawn(pool, 1)
    assert source.made == 1


def test_it_holds_no_more_pairs_than_its_capacity() -> None:
    pool = RollingPool(CountingSource(), 1, capacity=10, reuse=1)
    drawn(pool, 200)
    assert len(pool._slots) <= 10


def test_its_count_of_draws_restores_it() -> None:
    pool, resumed = (RollingPool(CountingSource(), 1, capacity=20, reuse=3) for _ in range(2))
    drawn(pool, 300)
    resumed.draws = pool.draws
    assert drawn(pool, 100, seed=9) == drawn(resumed, 100, seed=9)


def test_other_seeds_make_other_pairs() -> None:
    first, second = (RollingPool(CountingSource(), seed) for seed in (1, 2))
    assert not set(drawn(first, 30)) & set(drawn(second, 30))
