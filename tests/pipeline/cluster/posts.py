"""A cluster whose workers live in this process and whose nodes are but names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

from deblur_cli.imaging.atomic import owner
from deblur_cli.pipeline.cluster.worker import Ended, Loader, Master, Place, Worker
from tests.pipeline.fakes import FakeDeblurrer

Answering: TypeAlias = "Callable[[Post, Any], object]"


class DiedError(Exception):
    """A worker's process ends."""


@dataclass(eq=False)
class Post:
    """A worker, the node where it is, and what it was given."""

    node: str
    worker: Worker
    given: list[Any] = field(default_factory=list)


@dataclass
class FakeCluster:
    """Nodes for one worker each.

    Tasks are known by one of the arguments of their call: `before` is called with the worker and
    with that.
    """

    nodes: list[str]
    folder: Path
    before: Answering = lambda post, task: None
    hands: int = 1
    load: Loader = lambda device, weights: FakeDeblurrer()  # type: ignore[assignment, return-value]
    hired: list[Post] = field(default_factory=list)
    dismissed: list[Post] = field(default_factory=list)
    pending: dict[int, Callable[[], Any]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)
    known_by: int = 0

    def places(self) -> int:
        return len(self.nodes)

    def hire(self) -> tuple[Post, int]:
        node = self.nodes[len(self.hired) % len(self.nodes)]
        post = Post(node, Worker(Place(node, ()), Master(self.folder, owner())))
        self.hired.append(post)
        return post, self._later(lambda: post.worker.start(self.load, b""))

    def order(self, post: Post, method: str, *arguments: Any) -> int:
        if not arguments:
            getattr(post.worker, method)()
            return -1
        task = arguments[self.known_by]
        post.given.append(task)

        def make() -> object:
            self.before(post, task)
            return getattr(post.worker, method)(*arguments)

        return self._later(make)

    def answered(self, references: list[int], seconds: float) -> list[int]:
        return list(references)

    def answer(self, reference: int) -> object:
        try:
            return self.pending.pop(reference)()
        except DiedError:
            return Ended("its process ended")

    def dismiss(self, post: Post) -> None:
        self.dismissed.append(post)

    def _later(self, answer: Callable[[], Any]) -> int:
        number = next(self.numbers)
        self.pending[number] = answer
        return number
