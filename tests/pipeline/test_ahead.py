from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from deblur_cli.pipeline.ahead import ahead


def test_items_come_in_order_and_from_another_thread() -> None:
    threads = set[str]()

    def items() -> Iterator[int]:
        for number in range(20):
            threads.add(threading.current_thread().name)
            yield number

    assert list(ahead(items(), 3)) == list(range(20))
    assert threads == {"deblur-ahead"}


def test_what_is_raised_comes_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no other")

    upcoming = ahead(items(), 5)
    assert next(upcoming) == 1
    with pytest.raises(ValueError, match="no other"):
        next(upcoming)


def test_no_more_than_asked_for_are_ready_and_none_after_the_end() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            begun.append(number)
            yield number

    upcoming = ahead(items(), 2)
    assert [next(upcoming) for _ in range(5)] == list(range(5))
    upcoming.close()
    assert 5 <= len(begun) <= 5 + 2 + 2
    assert "deblur-ahead" not in {thread.name for thread in threading.enumerate()}
