from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.pipeline.clips_stages import Clock, ahead, behind, clocked


@given(length=st.integers(0, 20), depth=st.integers(1, 5))
@settings(deadline=None)
def test_ahead_keeps_the_order(length: int, depth: int) -> None:
    assert list(ahead(iter(range(length)), depth)) == list(range(length))


def test_ahead_makes_a_few_items_before_they_are_asked_for() -> None:
    made: list[int] = []
    third = threading.Event()

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            if number == 2:
                third.set()
            yield number

    pictures = ahead(items(), 3)
    assert next(pictures) == 0
    assert third.wait(30)
    pictures.close()
    assert len(made) <= 4


def test_error_of_an_item_comes_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    pictures = ahead(items(), 4)
    assert next(pictures) == 1
    with pytest.raises(ValueError, match="broken"):
        next(pictures)


def test_behind_does_tasks_in_their_order() -> None:
    done: list[int] = []
    with behind(2) as submit:
        for number in range(9):
            submit(lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == list(range(9))


def test_behind_bounds_what_waits() -> None:
    free = threading.Event()
    submitted: list[int] = []

    def feed() -> None:
        with behind(2) as submit:
            for number in range(9):
                submit(lambda: free.wait(30) and None)
                submitted.append(number)

    feeding = threading.Thread(target=feed)
    feeding.start()
    feeding.join(0.2)
    assert len(submitted) <= 3
    free.set()
    feeding.join(30)
    assert len(submitted) == 9


def test_behind_raises_what_a_task_raised() -> None:
    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), behind(2) as submit:
        submit(fail)


def test_clock_counts_the_making_of_items_only() -> None:
    clock = Clock()
    numbers = clocked(iter(range(3)), clock)
    assert list(numbers) == [0, 1, 2]
    assert 0 <= clock.seconds < 30
