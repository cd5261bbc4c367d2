"""One video on several devices: its frames are dealt out in turn and come back in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, cycle
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Deblurrer, Restoration
    from deblur_cli.video.colour import Image

_IN_HAND = 4
"""Frames of each device on their way: one more than it asks for before its first result."""
_END = object()

Queue: TypeAlias = SimpleQueue[Any]


def crew_of(fleet: Mapping[str, Deblurrer]) -> Deblurrer | Crew:
    """The only deblurrer of a fleet, or all of them as one."""
    deblurrers = tuple(fleet.values())
    return deblurrers[0] if len(deblurrers) == 1 else Crew(deblurrers)


class Crew:
    """Several deblurrers of the same network, used as if they were one.

    Args:
        deblurrers: on a device each.
    """

    def __init__(self, deblurrers: tuple[Deblurrer, ...]) -> None:
        self._deblurrers = deblurrers
        self.summary = "; ".join(each.summary for each in deblurrers)
        warnings = chain.from_iterable(each.warnings for each in deblurrers)
        self.warnings = tuple(dict.fromkeys(warnings))
        self.settings = deblurrers[0].settings

    def stream(self, images: Iterable[Image], strength: float = 1.0) -> Iterator[Restoration]:
        """Restore pictures, as `Deblurrer.stream`; they are asked for in a thread of its own.

        Raises:
            DeblurError: as one of the deblurrers, when the picture's turn comes.
        """
        lanes = [_Lane(each, strength) for each in self._deblurrers]
        room = Semaphore(_IN_HAND * len(lanes))
        dealer = _Dealer(images, lanes, room)
        try:
            for lane in cycle(lanes):
                restoration = lane.next_result()
                if restoration is None:
                    break
                room.release()
                yield restoration
            dealer.check()
        finally:
            dealer.end()
            for lane in lanes:
                lane.end()


class _Lane:
    """A deblurrer in a thread."""

    def __init__(self, deblurrer: Deblurrer, strength: float) -> None:
        self.images: Queue = SimpleQueue()
        self._results: Queue = SimpleQueue()
        self._thread = Thread(target=self._run, args=(deblurrer, strength), daemon=True)
        self._thread.start()

    def next_result(self) -> Restoration | None:
        """Wait for it; None behind the last, and what the deblurrer raises is raised."""
        result = self._results.get()
        if isinstance(result, BaseException):
            raise result
        return None if result is _END else result

    def end(self) -> None:
        """Take no more pictures, and wait until those in hand are done."""
        self.images.put(_END)
        self._thread.join()

    def _dealt(self) -> Iterator[Image]:
        while (image := self.images.get()) is not _END:
            yield image

    def _run(self, deblurrer: Deblurrer, strength: float) -> None:
        try:
            for restoration in deblurrer.stream(self._dealt(), strength):
                self._results.put(restoration)
            self._results.put(_END)
        except BaseException as error:
            self._results.put(error)


class _Dealer:
    """Hands pictures to lanes in turn, in a thread, as long as there is room."""

    def __init__(self, images: Iterable[Image], lanes: list[_Lane], room: Semaphore) -> None:
        self._room = room
        self._ended = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, args=(images, lanes), daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what was raised when a picture was asked for."""
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Ask for no more pictures, and wait for the one that was asked for."""
        self._ended = True
        self._room.release()
        self._thread.join()

    def _run(self, images: Iterable[Image], lanes: list[_Lane]) -> None:
        try:
            for lane, image in zip(cycle(lanes), images, strict=False):
                self._room.acquire()
                if self._ended:
                    return
                lane.images.put(image)
        except BaseException as error:
            self._error = error
        finally:
            for lane in lanes:
                lane.images.put(_END)
