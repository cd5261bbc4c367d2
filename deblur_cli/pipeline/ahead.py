"""Items that another thread gets ready while those before are worked on."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from queue import Full, Queue
from typing import TypeVar

Item = TypeVar("Item")
_SECONDS_BETWEEN_LOOKS = 0.1


def ahead(items: Iterable[Item], length: int) -> Generator[Item, None, None]:
    """The same items; at most `length` are ready before they are asked for.

    What the items raise is raised in its turn. When the iterator is closed, no other item is begun.
    """
    ready: Queue[tuple[Item] | BaseException | None] = Queue(length)
    closed = threading.Event()

    def offer(result: tuple[Item] | BaseException | None) -> None:
        while not closed.is_set():
            with suppress(Full):
                ready.put(result, timeout=_SECONDS_BETWEEN_LOOKS)
                return

    def get_ready() -> None:
        try:
            for item in items:
                offer((item,))
                if closed.is_set():
                    return
            offer(None)
        except BaseException as error:  # raised again by the one who asks
            offer(error)

    thread = threading.Thread(target=get_ready, name="deblur-ahead", daemon=True)
    thread.start()
    try:
        while (result := ready.get()) is not None:
            if isinstance(result, BaseException):
                raise result
            yield result[0]
    finally:
        closed.set()
        thread.join()
