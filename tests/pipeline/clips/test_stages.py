from __future__ import annotations

import threading

import pytest

from deblur_cli.pipeline.clips.stages import Clock, behind, clocked


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
