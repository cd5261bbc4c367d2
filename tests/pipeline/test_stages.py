from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.pipeline import stages
from deblur_cli.pipeline.stages import Outcome, WorkerLostError

overlapped = partial(stages.overlapped, threads=2)


def _never() -> bool:
    return False


def _same(item: int) -> int:
    return item


def _pair(item: int, value: int) -> int:
    assert item == value
    return value


def test_every_item_passes_through_all_stages() -> None:
    outcomes = overlapped(
        range(7), lambda i: i + 1, [lambda i, x: x * 2], lambda i, x: -x, stop=_never
    )
    assert sorted((o.item, o.value) for o in outcomes) == [(i, -2 * (i + 1)) for i in range(7)]


@pytest.mark.parametrize("stage", ["load", "work", "store"])
def test_an_error_ends_its_item_only(stage: str) -> None:
    def fail(*arguments: int) -> int:
        if arguments[0] == 2:
            raise RuntimeError(stage)
        return arguments[0]

    others = {"load": _same, "work": _pair, "store": _pair, stage: fail}
    work = others.pop("work")
    outcomes = list(overlapped(range(5), workers=[work], **others, stop=_never))  # type: ignore[arg-type]
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

    assert all(o.error is None for o in overlapped(range(3), load, [work], _pair, stop=_never))


def test_stop_ends_after_the_item_in_hand() -> None:
    stop = threading.Event()

    def work(item: int, value: int) -> int:
        if item == 2:
            stop.set()
        return value

    outcomes = list(overlapped(range(100), _same, [work], _pair, stop=stop.is_set))
    assert [outcome.item for outcome in outcomes] == [0, 1, 2]


def test_interrupt_comes_through_after_what_was_restored_is_stored() -> None:
    stored = []

    def work(item: int, value: int) -> int:
        if item == 3:
            raise KeyboardInterrupt
        return value

    outcomes = overlapped(range(9), _same, [work], lambda i, x: stored.append(i), stop=_never)
    with pytest.raises(KeyboardInterrupt):
        list(outcomes)
    assert sorted(stored) == [0, 1, 2]


@pytest.mark.parametrize("stage", ["load", "store"])
def test_several_items_are_loaded_and_stored_at_the_same_time(stage: str) -> None:
    together = threading.Barrier(2)

    def meet(item: int, *value: int) -> int:
        together.wait(5)
        return item

    both = {"load": _same, "store": _pair, stage: meet}
    outcomes = overlapped(range(4), workers=[_pair], **both, stop=_never)
    assert all(outcome.error is None for outcome in outcomes)


@pytest.mark.parametrize("workers", [1, 3])
def test_closing_early_leaves_no_thread(workers: int) -> None:
    def items() -> Iterator[int]:
        yield from range(1000)

    before = threading.active_count()
    with closing(overlapped(items(), _same, [_pair] * workers, _pair, stop=_never)) as outcomes:
        next(outcomes)
    assert threading.active_count() == before


def test_a_single_worker_works_in_the_calling_thread() -> None:
    threads = overlapped(
        range(3),
        _same,
        [lambda item, value: threading.current_thread()],
        lambda item, thread: thread,
        stop=_never,
    )
    assert {outcome.value for outcome in threads} == {threading.current_thread()}


def test_several_workers_work_at_the_same_time() -> None:
    together = threading.Barrier(3)

    def work(item: int, value: int) -> int:
        together.wait(5)
        return threading.get_ident()

    outcomes = list(overlapped(range(6), _same, [work] * 3, lambda i, ident: ident, stop=_never))
    assert len({outcome.value for outcome in outcomes}) == 3
    assert {outcome.item for outcome in outcomes} == set(range(6))


def test_stop_ends_several_workers_after_the_items_in_hand() -> None:
    stop, both_at_work = threading.Event(), threading.Barrier(2)

    def work(item: int, value: int) -> int:
        both_at_work.wait(5)
        stop.set()
        both_at_work.wait(5)
        return value

    outcomes = list(overlapped(range(100), _same, [work] * 2, _pair, stop=stop.is_set))
    assert {(outcome.item, outcome.value) for outcome in outcomes} == {(0, 0), (1, 1)}


def test_interrupt_loses_nothing_that_several_workers_have_in_hand() -> None:
    begun, stored = [], []
    all_at_work, pressed = threading.Barrier(3), threading.Event()

    def work(item: int, value: int) -> int:
        begun.append(item)
        if item < 3:
            all_at_work.wait(5)
        while item == 0 and not pressed.wait(0.02):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        pressed.wait(5)
        time.sleep(0.001)
        return value

    def press(number: int, frame: object) -> None:
        if not pressed.is_set():
            pressed.set()
            raise KeyboardInterrupt

    outcomes = overlapped(
        range(100_000), _same, [work] * 3, lambda i, x: stored.append(i), stop=_never
    )
    before = signal.signal(signal.SIGINT, press)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(outcomes)
    finally:
        signal.signal(signal.SIGINT, before)
    assert sorted(stored) == sorted(begun)
    assert len(stored) < 100_000


def test_what_ends_one_worker_unforeseen_ends_all_and_comes_through() -> None:
    stored = []

    def interrupted(item: int, value: int) -> int:
        raise KeyboardInterrupt

    def work(item: int, value: int) -> int:
        time.sleep(0.001)
        return value

    outcomes = overlapped(
        range(100_000), _same, [work, interrupted], lambda i, x: stored.append(i), stop=_never
    )
    with pytest.raises(KeyboardInterrupt):
        list(outcomes)
    assert len(stored) < 100_000


@pytest.mark.parametrize("workers", [1, 3])
def test_items_that_end_with_an_error_lose_nothing_that_is_in_hand(workers: int) -> None:
    begun, stored = [], []

    def items() -> Iterator[int]:
        yield from range(12)
        raise OSError("there are no more")

    def work(item: int, value: int) -> int:
        begun.append(item)
        return value

    outcomes = overlapped(
        items(), _same, [work] * workers, lambda i, x: stored.append(i), stop=_never
    )
    ended = []
    with pytest.raises(OSError, match="there are no more"):
        ended.extend(outcome.item for outcome in outcomes)
    assert sorted(ended) == sorted(begun) == sorted(stored)


def test_item_of_a_lost_worker_goes_to_one_that_has_nothing_left_to_do() -> None:
    other_is_done = threading.Event()

    def lost(item: int, value: int) -> int:
        assert other_is_done.wait(5)
        raise WorkerLostError

    def work(item: int, value: int) -> int:
        other_is_done.set()
        return value

    outcomes = list(overlapped(range(2), _same, [lost, work], _pair, stop=_never))
    assert {(outcome.item, outcome.value) for outcome in outcomes} == {(0, 0), (1, 1)}


def test_without_workers_the_rest_gets_no_outcome() -> None:
    def lost(item: int, value: int) -> int:
        raise WorkerLostError(str(item))

    outcomes = list(overlapped(range(100), _same, [lost] * 3, _pair, stop=_never))
    assert outcomes
    assert all(isinstance(o.error, WorkerLostError) for o in outcomes)
    assert len({o.item for o in outcomes}) == len(outcomes) <= 3


@dataclass
class _Batch:
    """Stages that take and fail as they are told, and count what goes through them."""

    failing: dict[tuple[str, int], bool]
    """Whether the stage of that name fails over that item; where absent it passes."""
    poison: set[int]
    """Items that cost every worker that touches them."""
    lives: list[int]
    """How many items each worker takes before it is lost over the next one."""
    pauses: list[float]
    threads: int
    """That load, and that store."""
    losses: Counter[int] = field(default_factory=Counter)
    stored: Counter[int] = field(default_factory=Counter)
    alive: int = 0
    most_alive: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, items: int) -> list[Outcome[int, int]]:
        workers = [lambda i, x, number=number: self.work(number, i) for number in self.numbers]
        passed = overlapped(
            range(items), self.load, workers, self.store, threads=self.threads, stop=_never
        )
        return list(passed)

    @property
    def numbers(self) -> range:
        return range(len(self.lives))

    def load(self, item: int) -> int:
        self._count(+1)
        self._pass("load", item)
        return item

    def work(self, number: int, item: int) -> int:
        self.lives[number] -= 1
        if self.lives[number] < 0 or item in self.poison:
            with self._lock:
                self.losses[item] += 1
            self.lives[number] = -1
            raise WorkerLostError
        self._pass("work", item)
        return item

    def store(self, item: int, value: int) -> int:
        self._pass("store", item)
        with self._lock:
            self.stored[item] += 1
        self._count(-1)
        return value

    def _pass(self, stage: str, item: int) -> None:
        time.sleep(self.pauses[(len(stage) + item) % len(self.pauses)])
        if self.failing.get((stage, item), False):
            self._count(-1)
            raise RuntimeError(stage)

    def _count(self, change: int) -> None:
        with self._lock:
            self.alive += change
            self.most_alive = max(self.alive, self.most_alive)

    def expected_error(self, item: int) -> str | None:
        """The stage that an item fails in if no worker is lost over it."""
        stages = (stage for stage in ("load", "work", "store") if self.failing.get((stage, item)))
        return next(stages, None)


_BATCHES = st.builds(
    _Batch,
    failing=st.dictionaries(
        st.tuples(st.sampled_from(["load", "work", "store"]), st.integers(0, 30)),
        st.just(True),
        max_size=8,
    ),
    poison=st.sets(st.integers(0, 30), max_size=1),
    lives=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    pauses=st.lists(st.sampled_from([0, 0.0002, 0.001]), min_size=1, max_size=5),
    threads=st.integers(1, 4),
)


@settings(deadline=None, max_examples=60)
@given(_BATCHES, st.integers(0, 30))
def test_every_item_has_one_outcome_whatever_happens(batch: _Batch, items: int) -> None:
    workers = len(batch.lives)
    outcomes = batch.run(items)
    ended = {outcome.item: outcome for outcome in outcomes}
    some_are_left = any(lives >= 0 for lives in batch.lives)
    assert len(ended) == len(outcomes)
    assert not some_are_left or ended.keys() == set(range(items))
    assert batch.losses.keys() <= ended.keys()
    for item, outcome in ended.items():
        if isinstance(outcome.error, WorkerLostError):
            assert batch.losses[item] == 2 or not some_are_left
        elif outcome.error is None:
            assert outcome.value == item
            assert batch.expected_error(item) is None
        else:
            assert str(outcome.error) == batch.expected_error(item)
    successes = {item for item, outcome in ended.items() if outcome.error is None}
    assert batch.stored == Counter(successes)
    assert max(batch.losses.values(), default=0) <= 2
    ahead, behind = batch.threads + 1, workers + batch.threads + 1
    assert batch.most_alive <= ahead + behind + len(batch.losses)
