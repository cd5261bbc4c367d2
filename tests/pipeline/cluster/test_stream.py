"""Frames that workers restore in any order and that come back in theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deblur_cli.errors import DeviceError, RestoreError, WeightsError
from deblur_cli.imaging.atomic import owner
from deblur_cli.pipeline.cluster.crew import Crew
from deblur_cli.pipeline.cluster.stream import ClusterDeblurrer, FrameTask
from deblur_cli.pipeline.cluster.worker import Ended, Master, Place, Worker
from tests.pipeline.fakes import FakeDeblurrer, FakeRestoration, Picture


class Refusing(FakeDeblurrer):
    """Inverts pictures, but not those of the grey value 7."""

    def restore(self, image: Picture, strength: float = 1.0) -> FakeRestoration:
        if image.flat[0] == 7:
            raise RestoreError("it is unlucky")
        return super().restore(image, strength)


class LastFirst:
    """A cluster whose workers answer in the wrong order; `dies_over` are frames that end them."""

    hands = 1

    def __init__(self, workers: int, dies_over: tuple[int, ...] = ()) -> None:
        self.workers = workers
        self.dies_over = list(dies_over)
        self.hired = 0
        self.is_refusing = False
        self._numbers = count()
        self._pending: dict[int, Callable[[], Any]] = {}

    def places(self) -> int:
        return self.workers

    def hire(self) -> tuple[Worker, int]:
        self.hired += 1
        worker = Worker(Place("a", ()), Master(Path.cwd(), owner()))
        return worker, self._later(lambda: worker.start(self._load, b""))

    def order(self, worker: Worker, method: str, image: Picture, strength: float) -> int:
        def restore() -> object:
            if image.flat[0] in self.dies_over:
                self.dies_over.remove(image.flat[0])
                return Ended("its process ended")
            return getattr(worker, method)(image, strength)

        return self._later(restore)

    def answered(self, references: list[int], seconds: float) -> list[int]:
        return references if self.hired > len(references) else references[-1:]

    def answer(self, reference: int) -> object:
        return self._pending.pop(reference)()

    def _load(self, device: str, weights: bytes) -> Any:
        if self.is_refusing:
            raise WeightsError("they are gone")
        return Refusing()

    def dismiss(self, worker: Worker) -> None: ...

    def _later(self, answer: Callable[[], Any]) -> int:
        number = next(self._numbers)
        self._pending[number] = answer
        return number


def _frames(taken: list[int], frames: int) -> Iterator[Picture]:
    for number in range(10, 10 + frames):
        taken.append(number)
        yield np.full((8, 8, 3), number, np.uint8)


def _deblurrer(cluster: LastFirst) -> ClusterDeblurrer:
    crew: Crew[FrameTask] = Crew(cluster, lambda problem: None)
    return ClusterDeblurrer(crew)


@pytest.mark.parametrize("workers", [1, 3])
def test_frames_keep_their_order(workers: int) -> None:
    restored = list(_deblurrer(LastFirst(workers)).stream(_frames([], 20)))
    assert [255 - int(each.image.flat[0]) for each in restored] == list(range(10, 30))


def test_no_more_frames_are_taken_than_workers_need() -> None:
    taken: list[int] = []
    stream = _deblurrer(LastFirst(2)).stream(_frames(taken, 100))
    list(islice(stream, 10))
    assert len(taken) <= 10 + 3 * 2


def test_strength_is_passed_on() -> None:
    (left,) = _deblurrer(LastFirst(1)).stream(_frames([], 1), 0.0)
    assert left.image.flat[0] == 10


def test_lost_worker_costs_nothing() -> None:
    cluster = LastFirst(2, dies_over=(13,))
    restored = list(_deblurrer(cluster).stream(_frames([], 9)))
    assert [255 - int(each.image.flat[0]) for each in restored] == list(range(10, 19))
    assert cluster.hired == 3


def test_frame_that_ends_two_workers_ends_the_stream_in_its_turn() -> None:
    stream = _deblurrer(LastFirst(2, dies_over=(13, 13))).stream(_frames([], 9))
    assert [255 - int(each.image.flat[0]) for each in islice(stream, 3)] == [10, 11, 12]
    with pytest.raises(RestoreError, match="2 workers ended"):
        next(stream)


def test_error_of_a_worker_is_raised() -> None:
    unlucky = np.full((8, 8, 3), 7, np.uint8)
    with pytest.raises(RestoreError, match="unlucky"):
        list(_deblurrer(LastFirst(2)).stream([unlucky]))


def test_no_worker_is_left() -> None:
    cluster = LastFirst(1, dies_over=(13,))
    stream = _deblurrer(cluster).stream(_frames([], 9))
    assert len(list(islice(stream, 3))) == 3
    cluster.is_refusing = True
    with pytest.raises(DeviceError, match="no worker is left"):
        next(stream)
