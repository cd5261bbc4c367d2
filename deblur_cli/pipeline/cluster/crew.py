"""The workers on a cluster: who is free, who has what in hand, and what becomes of the lost."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from deblur_cli.errors import DeblurError, DeviceError
from deblur_cli.pipeline.cluster.worker import Blind, Ended, Profile, Unmade

LOSSES = 2
"""A task over which so many workers were lost is set aside."""
_STARTS = 3
"""A place where so many workers in a row end without having done anything is given up."""
_BLIND = "does not see {} as this machine does"
_MOUNT = "mount the drive at the same path on every node"
_GROWTH_SECONDS = 5.0
_PATIENCE_SECONDS = 20.0
_WAIT_SECONDS = 1.0


class Cluster(Protocol):
    """What a crew asks of a cluster; references stand for answers that come later."""

    hands: int
    """How many tasks a worker can have at a time: one picture is restored, others read or written.
    Besides, it can be called once more."""

    def places(self) -> int:
        """How many workers there is room for."""

    def hire(self) -> tuple[Any, Any]:
        """A new worker, as soon as there is room, and the reference to its profile."""

    def order(self, worker: Any, method: str, *arguments: Any) -> Any:
        """Call a method of a worker; the reference to its answer."""

    def answered(self, references: list[Any], seconds: float) -> list[Any]:
        """Those references whose answers are there, once it is at least one or time is up."""

    def answer(self, reference: Any) -> Any:
        """What came, an `Ended` if the worker is no more."""

    def dismiss(self, worker: Any) -> None:
        """End a worker at once."""


@dataclass
class Task(ABC):
    """A piece of work on its way to a worker.

    Attributes:
        losses: workers that ended over it.
        tried_on: nodes of the workers that had it in vain.
    """

    losses: int = field(default=0, init=False)
    tried_on: set[str] = field(default_factory=set, init=False)

    @property
    def is_suspect(self) -> bool:
        """Whether it may be what ends workers."""
        return self.losses > 0

    @property
    @abstractmethod
    def order(self) -> tuple[str, tuple[Any, ...]]:
        """A worker's method, and the arguments of its call."""

    def checked(self, answer: Any) -> Any:
        """The answer of a worker, unless this process knows better."""
        return answer


Work = TypeVar("Work", bound=Task)


@dataclass(frozen=True)
class Done(Generic[Work]):
    """A worker's answer."""

    task: Work
    answer: Any


@dataclass(frozen=True)
class Loss(Generic[Work]):
    """A worker ended over a task; whether another one gets it."""

    task: Work
    worker: str
    problem: str
    is_final: bool


@dataclass
class _Place(Generic[Work]):
    """Room for a worker, and who is there."""

    worker: Any
    starting: Any
    profile: Profile | None = None
    tasks: dict[Any, Work] = field(default_factory=dict)
    fruitless: int = 0
    """Workers that ended here since the last answer that came from here."""

    @property
    def has_suspect(self) -> bool:
        return any(task.is_suspect for task in self.tasks.values())


class Crew(Generic[Work]):
    """As many workers as there is room for, now and later; the lost are replaced.

    Tasks that were in hand when a worker ended may be what ended it. Each of them is given to a
    worker that has nothing else in hand, if possible on another node.

    Args:
        cluster: where they work.
        tell: is told what happened to workers that had nothing in hand.
    """

    def __init__(self, cluster: Cluster, tell: Callable[[str], object]) -> None:
        self._cluster = cluster
        self._tell = tell
        self.hands = cluster.hands
        """How many tasks a worker is given at a time."""
        self._places: list[_Place[Work]] = []
        self._closed = 0
        self._problem: DeblurError | None = None
        self._returned: deque[Work] = deque()
        self._grown = -_GROWTH_SECONDS

    def first(self) -> Profile:
        """Wait until somebody is ready; raises what keeps them from it, if it does so with all."""
        told_at = time.monotonic() + _PATIENCE_SECONDS
        while not (ready := self.profiles):
            if self._problem is not None and self.is_lost:
                raise self._problem
            list(self.news())
            if time.monotonic() > told_at:
                told_at = float("inf")
                self._tell("no worker is ready yet: either they load, or others use the cluster")
        return ready[0]

    @property
    def profiles(self) -> list[Profile]:
        """Those who are ready."""
        return [place.profile for place in self._places if place.profile is not None]

    @property
    def places(self) -> int:
        """How many workers there is room for, at least one."""
        return max(1, self._cluster.places())

    @property
    def is_lost(self) -> bool:
        """Whether nobody is left, nor will come."""
        return not self._places and self._closed > 0

    @property
    def in_hand(self) -> int:
        """Tasks that workers have."""
        return sum(len(place.tasks) for place in self._places)

    @property
    def returned(self) -> int:
        """Tasks that wait for another worker."""
        return len(self._returned)

    @property
    def has_room(self) -> bool:
        """Whether somebody can take a task now."""
        return not self._returned and self._free() is not None

    def take(self, task: Work) -> None:
        """Give a task to somebody; only if there `has_room`."""
        place = self._free()
        assert place is not None
        self._give(place, task)

    def retry(self) -> None:
        """Give what came back to those who have nothing in hand."""
        for task in tuple(self._returned):
            idle = [p for p in self._places if p.profile is not None and not p.tasks]
            place = next((p for p in idle if _node(p) not in task.tried_on), None)
            if place is None and idle and {_node(p) for p in self._ready} <= task.tried_on:
                place = idle[0]
            if place is not None:
                self._returned.remove(task)
                self._give(place, task)

    def news(self) -> Iterator[Done[Work] | Loss[Work]]:
        """Wait a moment for what workers have to say."""
        self._grow()
        waiting: dict[Any, _Place[Work]] = {}
        for place in self._places:
            waiting.update(dict.fromkeys(place.tasks, place))
            if place.starting is not None:
                waiting[place.starting] = place
        for reference in self._cluster.answered(list(waiting), _WAIT_SECONDS):
            place = waiting[reference]
            if reference is place.starting:
                self._welcome(place, self._cluster.answer(reference))
            elif reference in place.tasks:
                yield from self._hear(place, reference)

    def call(self, method: str) -> None:
        """Call a method of all who are ready, while they go on with what they have in hand."""
        for place in self._ready:
            self._cluster.order(place.worker, method)

    def abandon(self) -> list[Work]:
        """Give up what is still in hand, if anything is, and with it everybody."""
        tasks = [task for place in self._places for task in place.tasks.values()]
        references = [reference for place in self._places for reference in place.tasks]
        if tasks:
            self.dismiss()
            self._cluster.answered(references, _WAIT_SECONDS)
        return tasks

    def dismiss(self) -> None:
        """End all, whatever they have in hand."""
        for place in self._places:
            self._cluster.dismiss(place.worker)
        self._places.clear()

    @property
    def _ready(self) -> list[_Place[Work]]:
        return [place for place in self._places if place.profile is not None]

    def _free(self) -> _Place[Work] | None:
        """The one with the least in hand, if it can take more."""
        able = [place for place in self._ready if not place.has_suspect]
        least = min(able, key=lambda place: len(place.tasks), default=None)
        return least if least and len(least.tasks) < self.hands else None

    def _give(self, place: _Place[Work], task: Work) -> None:
        method, arguments = task.order
        place.tasks[self._cluster.order(place.worker, method, *arguments)] = task

    def _grow(self) -> None:
        if time.monotonic() - self._grown >= _GROWTH_SECONDS:
            for _ in range(len(self._places) + self._closed, self._cluster.places()):
                self._places.append(_Place(*self._cluster.hire()))
            self._grown = time.monotonic()

    def _welcome(self, place: _Place[Work], answer: Profile | Unmade | Ended) -> None:
        place.starting = None
        if isinstance(answer, Profile):
            place.profile = answer
        elif isinstance(answer, Unmade):
            self._close(place, answer.error)
        else:
            self._replace(place, answer.problem)

    def _hear(self, place: _Place[Work], reference: Any) -> Iterator[Done[Work] | Loss[Work]]:
        task = place.tasks[reference]
        answer = task.checked(self._cluster.answer(reference))
        if not isinstance(answer, Blind | Ended):
            place.fruitless = 0
            del place.tasks[reference]
            yield Done(task, answer)
            return
        assert place.profile is not None
        name, node, tasks = place.profile.name, _node(place), tuple(place.tasks.values())
        place.profile = None
        place.tasks.clear()
        if isinstance(answer, Blind):
            problem = _BLIND.format(answer.path)
            self._close(place, DeviceError(f"{name}: {problem}", remedy=_MOUNT))
        else:
            problem = answer.problem
            self._replace(place, f"{name}: {problem}")
        for each in tasks:
            each.tried_on.add(node)
            each.losses += isinstance(answer, Ended)
            is_final = each.losses >= LOSSES
            if not is_final:
                self._returned.append(each)
            yield Loss(each, name, problem, is_final)

    def _replace(self, place: _Place[Work], problem: str) -> None:
        place.fruitless += 1
        if place.fruitless >= _STARTS:
            self._close(place, DeviceError(f"{_STARTS} workers in a row ended: {problem}"))
        else:
            self._cluster.dismiss(place.worker)
            place.worker, place.starting = self._cluster.hire()

    def _close(self, place: _Place[Work], problem: DeblurError) -> None:
        self._cluster.dismiss(place.worker)
        self._places.remove(place)
        self._closed += 1
        self._problem = problem
        self._tell(f"a worker is given up: {problem}")


def _node(place: _Place[Any]) -> str:
    assert place.profile is not None
    return place.profile.place.node
