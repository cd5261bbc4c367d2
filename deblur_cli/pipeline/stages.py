"""Three stages that overlap: reading ahead, work by one or several workers, writing behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")
Worked = TypeVar("Worked")
Stored = TypeVar("Stored")


class WorkerLostError(Exception):
    """Raised by a worker that will not work again; another one gets its item."""


@dataclass(frozen=True)
class Outcome(Generic[Item, Stored]):
    """How one item ended: with a value, or with the exception of the stage where it failed."""

    item: Item
    value: Stored | None = None
    error: Exception | None = None


def overlapped(
    items: Iterable[Item],
    load: Callable[[Item], Loaded],
    workers: Sequence[Callable[[Item, Loaded], Worked]],
    store: Callable[[Item, Worked], Stored],
    *,
    threads: int,
    stop: Callable[[], bool],
) -> Generator[Outcome[Item, Stored], None, None]:
    """Pass every item through `load` → one of the `workers` → `store` and yield its outcome.

    Each worker has a thread of its own; a single one works in the calling thread. `load` and
    `store` have `threads` each; at most `threads` + 1 items are loaded ahead, and that many and one
    for each worker are being worked on or not yet stored. Outcomes come in no certain order.

    An exception ends its item, not the others. A `WorkerLostError` ends its worker, too: the item
    goes to another one, and fails if that is lost as well or none is left. Items that nobody is
    left to begin get no outcome.

    A true `stop()` ends the iteration after the items in hand. So does an exception of `items`, and
    a KeyboardInterrupt, which a single worker sees at once; they are raised again after what was
    restored has been stored.
    """
    readers = ThreadPoolExecutor(threads, thread_name_prefix="deblur-read")
    writers = ThreadPoolExecutor(threads, thread_name_prefix="deblur-write")
    ahead = _Ahead(items, lambda item: readers.submit(load, item), threads + 1, stop)
    line: _Line[Item, Loaded, Worked, Stored] = _Line(
        ahead,
        lambda item, worked: writers.submit(store, item, worked),
        len(workers) + threads + 1,
    )
    crew = ThreadPoolExecutor(len(workers), thread_name_prefix="deblur-work")
    interruption: BaseException | None = None
    try:
        try:
            if len(workers) == 1:
                while line.step(workers[0]):
                    yield from line.ended_so_far()
            else:
                at_work = [crew.submit(line.drive, worker) for worker in workers]
                for _ in workers:
                    yield from iter(line.ended.get, None)
                for working in at_work:
                    working.result()
        except (Exception, KeyboardInterrupt) as raised:
            interruption = raised
        ahead.close()
        crew.shutdown()
        writers.shutdown()
        yield from line.ended_so_far()
        yield from (Outcome(task.item, error=task.loss) for task in ahead.orphans())
    finally:
        ahead.close()
        crew.shutdown()
        readers.shutdown(cancel_futures=True)
        writers.shutdown()
    if interruption is not None:
        raise interruption


@dataclass
class _Task(Generic[Item, Loaded]):
    """An item on its way to a worker; `loss` is how an earlier worker ended over it."""

    item: Item
    loading: Future[Loaded]
    loss: WorkerLostError | None = None


class _Ahead(Generic[Item, Loaded]):
    """The items that are loaded before a worker asks for them; shared by all workers."""

    def __init__(
        self,
        items: Iterable[Item],
        load: Callable[[Item], Future[Loaded]],
        length: int,
        stop: Callable[[], bool],
    ) -> None:
        self._upcoming = iter(items)
        self._load = load
        self._length = length
        self._stop = stop
        self._tasks: deque[_Task[Item, Loaded]] = deque()
        self._in_hand = 0
        self._closed = False
        self._changed = Condition()

    def take(self) -> _Task[Item, Loaded] | None:
        """The next task; None if there is none left and none in hand that may come back."""
        with self._changed:
            while not (self._closed or self._stop()):
                wanted = max(0, self._length - len(self._tasks))
                for item in islice(self._upcoming, wanted):
                    self._tasks.append(_Task(item, self._load(item)))
                if self._tasks:
                    self._in_hand += 1
                    return self._tasks.popleft()
                if not self._in_hand:
                    break
                self._changed.wait()
        return None

    def finish(self) -> None:
        """One task taken is no longer in hand."""
        with self._changed:
            self._in_hand -= 1
            self._changed.notify_all()

    def give_back(self, task: _Task[Item, Loaded]) -> None:
        """A task taken is the next one's."""
        with self._changed:
            self._tasks.appendleft(task)
            self.finish()

    def close(self) -> None:
        """Nobody gets another task."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def orphans(self) -> Iterator[_Task[Item, Loaded]]:
        """What was given back and nobody has taken."""
        return (task for task in self._tasks if task.loss is not None)


class _Line(Generic[Item, Loaded, Worked, Stored]):
    """The way of a task through a worker to its outcome in `ended`."""

    def __init__(
        self,
        ahead: _Ahead[Item, Loaded],
        store: Callable[[Item, Worked], Future[Stored]],
        places: int,
    ) -> None:
        self._ahead = ahead
        self._store = store
        self._places = BoundedSemaphore(places)
        self.ended: SimpleQueue[Outcome[Item, Stored] | None] = SimpleQueue()
        """Outcomes, and None for each worker that has ended."""

    def drive(self, worker: Callable[[Item, Loaded], Worked]) -> None:
        """Work as long as there is something to do; what ends one worker unforeseen ends all."""
        try:
            while self.step(worker):
                pass
        except BaseException:
            self._ahead.close()
            raise
        finally:
            self.ended.put(None)

    def step(self, worker: Callable[[Item, Loaded], Worked]) -> bool:
        """Work on one task; False if there was none or the worker is lost.

        The task's place is taken before the work, so that nothing stands between it and the store.
        """
        self._places.acquire()
        task = self._ahead.take()
        if task is None:
            self._places.release()
            return False
        try:
            worked = worker(task.item, task.loading.result())
        except WorkerLostError as loss:
            self._hand_over(task, loss)
            return False
        except Exception as error:
            self._end(Outcome(task.item, error=error))
        else:
            item = task.item
            self._store(item, worked).add_done_callback(lambda f: self._end(_outcome(item, f)))
        self._ahead.finish()
        return True

    def ended_so_far(self) -> Iterator[Outcome[Item, Stored]]:
        """Outcomes that are there without waiting."""
        with suppress(Empty):
            while True:
                outcome = self.ended.get_nowait()
                if outcome is not None:
                    yield outcome

    def _hand_over(self, task: _Task[Item, Loaded], loss: WorkerLostError) -> None:
        if task.loss is None:
            task.loss = loss
            self._places.release()
            self._ahead.give_back(task)
        else:
            self._end(Outcome(task.item, error=loss))
            self._ahead.finish()

    def _end(self, outcome: Outcome[Item, Stored]) -> None:
        self._places.release()
        self.ended.put(outcome)


def _outcome(item: Item, storing: Future[Stored]) -> Outcome[Item, Stored]:
    try:
        return Outcome(item, value=storing.result())
    except Exception as error:
        return Outcome(item, error=error)
