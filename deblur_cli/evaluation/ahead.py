"""Work that threads do ahead of whoever takes the results, and never far ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_advance(
    executor: Executor, make: Callable[[Given], Made], given: Iterable[Given], depth: int
) -> Iterator[Made]:
    """What `make` makes of each, in the same order; at most `depth` are under way or waiting.

    `given` is iterated in the caller's thread, each time that a result is asked for.

    Raises:
        Exception: whatever `make` raises, when the turn of that result comes.
    """
    under_way: deque[Future[Made]] = deque()
    try:
        for one in given:
            under_way.append(executor.submit(make, one))
            if len(under_way) == depth:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()
