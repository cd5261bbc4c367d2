from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deblur_cli.evaluation.ahead import in_advance


@given(count=st.integers(0, 20), depth=st.integers(1, 8), threads=st.integers(1, 4))
def test_results_come_in_order_and_never_more_than_depth_ahead(
    count: int, depth: int, threads: int
) -> None:
    drawn = 0

    def numbers() -> Iterator[int]:
        nonlocal drawn
        for number in range(count):
            drawn += 1
            yield number

    with ThreadPoolExecutor(threads) as executor:
        made = []
        for square in in_advance(executor, lambda number: number**2, numbers(), depth):
            made.append(square)
            assert drawn <= len(made) + depth - 1
    assert made == [number**2 for number in range(count)]


def test_an_error_comes_when_its_turn_is() -> None:
    with ThreadPoolExecutor(2) as executor:
        results = in_advance(executor, lambda number: 1 / number, [2, 1, 0, 1], 3)
        assert [next(results), next(results)] == [0.5, 1.0]
        with pytest.raises(ZeroDivisionError):
            next(results)
