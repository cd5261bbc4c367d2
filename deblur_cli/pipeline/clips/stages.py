"""How long stages work, and work done behind them in order, with a bounded queue."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class Clock:
    """Seconds spent in one stage."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time of the block."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started


def clocked(items: Iterator[Item], clock: Clock) -> Iterator[Item]:
    """The items, with the time it takes to make them."""
    while True:
        with clock.running():
            try:
                item = next(items)
            except StopIteration:
                return
        yield item


@contextmanager
def behind(depth: int) -> Iterator[Callable[[Callable[[], None]], None]]:
    """A function that gives tasks to a thread, which does one after the other.

    At most `depth` of them are waiting. What a task raises is raised by a later call, or at the
    end of the block.
    """
    waiting: deque[Future[None]] = deque()

    def submit(task: Callable[[], None]) -> None:
        if len(waiting) > depth:
            waiting.popleft().result()
        waiting.append(thread.submit(task))

    with ThreadPoolExecutor(1, thread_name_prefix="deblur-encode") as thread:
        yield submit
    for task in waiting:
        task.result()
