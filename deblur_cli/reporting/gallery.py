"""The few pictures that a page shows: those that changed most."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deblur_cli.reporting.views import Scores, View


@dataclass(frozen=True)
class Exhibit:
    """A picture to show."""

    source: Path
    target: Path
    scores: Scores
    view: View


class Gallery:
    """Holds no more than a number of pictures, whatever is offered."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._offers = 0
        self._heap: list[tuple[float, int, Exhibit]] = []

    @property
    def has_room(self) -> bool:
        """Whether any picture would be taken."""
        return len(self._heap) < self.places

    def would_take(self, scores: Scores) -> bool:
        """Whether a picture would be taken: there is room, or it changed more than another."""
        return self.has_room or scores.change > self._heap[0][0]

    def offer(self, exhibit: Exhibit) -> None:
        """Take a picture, in the place of the one that changed least if there is no room."""
        self._offers += 1
        entry = (exhibit.scores.change, -self._offers, exhibit)
        if self.has_room:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def __iter__(self) -> Iterator[Exhibit]:
        """The pictures, from the most changed to the least."""
        return (exhibit for _, _, exhibit in sorted(self._heap, reverse=True))

    def __len__(self) -> int:
        """How many pictures it holds."""
        return len(self._heap)
