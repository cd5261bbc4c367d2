"""Three stages that overlap: reading ahead, work in the calling thread, writing behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")
Worked = TypeVar("Worked")
Stored = TypeVar("Stored")


@dataclass(frozen=True)
class Outcome(Generic[Item, Stored]):
    """How one item ended: with a value, or with the exception of the stage where it failed."""

    item: Item
    value: Stored | None = None
    error: Exception | None = None


def overlapped(
    items: Iterable[Item],
    load: Callable[[Item], Loaded],
    work: Callable[[Item, Loaded], Worked],
    store: Callable[[Item, Worked], Stored],
    *,
    stop: Callable[[], bool],
    threads: int = 1,
) -> Generator[Outcome[Item, Stored], None, None]:
    """Pass every item through `load` → `work` → `store` and yield its outcome.

    `load` and `store` run in `threads` threads each; at most `threads` + 1 loaded items and as many
    unstored ones exist at a time. An exception ends its item, not the others. A true `stop()` ends
    the iteration after the item in hand; a KeyboardInterrupt does at once, and is raised again
    after what was already restored has been stored.
    """
    upcoming = iter(items)
    ahead: deque[tuple[Item, Future[Loaded]]] = deque()
    behind: deque[tuple[Item, Future[Stored]]] = deque()
    interrupt: KeyboardInterrupt | None = None
    readers = ThreadPoolExecutor(threads, thread_name_prefix="deblur-read")
    writers = ThreadPoolExecutor(threads, thread_name_prefix="deblur-write")

    def read_ahead() -> None:
        wanted = threads + 1 - len(ahead)
        ahead.extend((item, readers.submit(load, item)) for item in islice(upcoming, wanted))

    try:
        try:
            read_ahead()
            while ahead and not stop():
                item, loading = ahead.popleft()
                try:
                    worked = work(item, loading.result())
                except Exception as error:
                    yield Outcome(item, error=error)
                else:
                    behind.append((item, writers.submit(store, item, worked)))
                while behind and (behind[0][1].done() or len(behind) > threads + 1):
                    yield _outcome(*behind.popleft())
                read_ahead()
        except KeyboardInterrupt as pressed:
            interrupt = pressed
        while behind:
            yield _outcome(*behind.popleft())
    finally:
        readers.shutdown(cancel_futures=True)
        writers.shutdown()
    if interrupt is not None:
        raise interrupt


def _outcome(item: Item, storing: Future[Stored]) -> Outcome[Item, Stored]:
    try:
        return Outcome(item, value=storing.result())
    except Exception as error:
        return Outcome(item, error=error)
