from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from deblur_cli.pipeline.stages import overlapped


def _never() -> bool:
    return False


def _same(item: int) -> int:
    return item


def _pair(item: int, value: int) -> int:
    assert item == value
    return value


def test_every_item_passes_through_all_stages() -> None:
    outcomes = overlapped(
        range(7), lambda i: i + 1, lambda i, x: x * 2, lambda i, x: -x, stop=_never
    )
    assert sorted((o.item, o.value) for o in outcomes) == [(i, -2 * (i + 1)) for i in range(7)]


@pytest.mark.parametrize("stage", ["load", "work", "store"])
def test_an_error_ends_its_item_only(stage: str) -> None:
    def fail(*arguments: int) -> int:
        if arguments[0] == 2:
            raise RuntimeError(stage)
        return arguments[0]

    stages = {"load": _same, "work": _pair, "store": _pair, stage: fail}
    outcomes = list(overlapped(range(5), **stages, stop=_never))  # type: ignore[arg-type]
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    assert [(outcome.item, str(outcome.error)) for outcome in failed] == [(2, stage)]
    assert {outcome.item for outcome in outcomes} == set(range(5))


def test_reading_and_writing_overlap_the_work() -> None:
    next_is_loaded, first_is_worked_on = threading.Event(), threading.Event()

    def load(item: int) -> int:
        if item == 1:
            assert first_is_worked_on.wait(5)
            next_is_loaded.set()
        return item

    def work(item: int, value: int) -> int:
        if item == 0:
            first_is_worked_on.set()
            assert next_is_loaded.wait(5)
        return value

    assert all(o.error is None for o in overlapped(range(3), load, work, _pair, stop=_never))


def test_loaded_items_are_bounded() -> None:
    loaded, stored, most = 0, 0, 0

    def load(item: int) -> int:
        nonlocal loaded
        loaded += 1
        return item

    def store(item: int, value: int) -> int:
        nonlocal stored, most
        most = max(most, loaded - stored)
        stored += 1
        return value

    list(overlapped(range(50), load, _pair, store, stop=_never))
    assert most <= 6


def test_stop_ends_after_the_item_in_hand() -> None:
    stop = threading.Event()

    def work(item: int, value: int) -> int:
        if item == 2:
            stop.set()
        return value

    outcomes = list(overlapped(range(100), _same, work, _pair, stop=stop.is_set))
    assert [outcome.item for outcome in outcomes] == [0, 1, 2]


def test_interrupt_comes_through_after_what_was_restored_is_stored() -> None:
    stored = []

    def work(item: int, value: int) -> int:
        if item == 3:
            raise KeyboardInterrupt
        return value

    outcomes = overlapped(range(9), _same, work, lambda i, x: stored.append(i), stop=_never)
    with pytest.raises(KeyboardInterrupt):
        list(outcomes)
    assert stored == [0, 1, 2]


def test_closing_early_leaves_no_thread() -> None:
    def items() -> Iterator[int]:
        yield from range(1000)

    before = threading.active_count()
    with closing(overlapped(items(), _same, _pair, _pair, stop=_never)) as outcomes:
        next(outcomes)
    assert threading.active_count() == before
