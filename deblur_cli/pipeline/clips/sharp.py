"""How much of the network each frame of a video gets, if sharp ones are to be left alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Generic, TypeVar

import numpy as np

from deblur_cli.imaging.photo import Image
from deblur_cli.imaging.scenes import MEMORY, SceneCuts
from deblur_cli.imaging.sharpness import sharpness

NEIGHBOURS = 5
"""Frames on each side that a frame is compared with."""
RAMP = 3
"""Frames on each side of those left alone that get only a part."""
CONTEXT = RAMP + NEIGHBOURS + MEMORY + 1
"""Frames before another that have a say in what it gets."""
AHEAD = RAMP + NEIGHBOURS
"""Frames after another that do."""

_CLEARLY = 1.25
_SOFTEST = 2 / 3

Item = TypeVar("Item")


@dataclass(frozen=True)
class Look:
    """What a frame looks like.

    Args:
        score: its sharpness.
        scene: another number in each scene.
    """

    score: float
    scene: int


def looks(images: Iterator[tuple[Item, Image]]) -> Iterator[tuple[Item, Look]]:
    """Each item with what its picture looks like."""
    cuts, scene = SceneCuts(), 0
    for item, image in images:
        scene += cuts.begins_with(image)
        yield item, Look(sharpness(image), scene)


def shares(items: Iterator[tuple[Item, Look]], sharp: float) -> Iterator[tuple[Item, float]]:
    """Each item with the share of the network's result that it gets, 0 to 1.

    Frames are left alone, with 0, that score `sharp` or more; or two thirds of it, if that is also
    a quarter more than the median of their scene within `NEIGHBOURS` frames. From there the share
    rises evenly over `RAMP` frames, and does not reach across a cut.
    """
    marked = (
        (each.item, _Mark(each.look.scene, _is_sharp(each, sharp)))
        for each in _around(items, NEIGHBOURS)
    )
    for each in _around(marked, RAMP):
        yield each.item, _share(each)


@dataclass(frozen=True)
class _Mark:
    scene: int
    left_alone: bool


Seen = TypeVar("Seen", Look, _Mark)


@dataclass(frozen=True)
class _Midst(Generic[Item, Seen]):
    """An item, and what is known of the same scene before and after it, nearest last and first."""

    item: Item
    look: Seen
    before: tuple[Seen, ...]
    after: tuple[Seen, ...]


def _around(items: Iterator[tuple[Item, Seen]], reach: int) -> Iterator[_Midst[Item, Seen]]:
    """Each item once `reach` more have come; no more of them are held."""
    past: deque[Seen] = deque(maxlen=reach)
    coming: deque[tuple[Item, Seen]] = deque()

    def midst() -> _Midst[Item, Seen]:
        item, look = coming.popleft()
        before = tuple(each for each in past if each.scene == look.scene)
        after = tuple(each for _, each in coming if each.scene == look.scene)
        past.append(look)
        return _Midst(item, look, before, after)

    for pair in items:
        coming.append(pair)
        if len(coming) > reach:
            yield midst()
    while coming:
        yield midst()


def _is_sharp(midst: _Midst[Item, Look], sharp: float) -> bool:
    score = midst.look.score
    usual = np.median([each.score for each in (*midst.before, midst.look, *midst.after)])
    return score >= sharp or score >= max(_SOFTEST * sharp, _CLEARLY * float(usual))


def _share(midst: _Midst[Item, _Mark]) -> float:
    """Frames to the nearest one left alone, by the length of the ramp."""
    if midst.look.left_alone:
        return 0.0
    beside = zip_longest(reversed(midst.before), midst.after)
    for distance, marks in enumerate(beside, 1):
        if any(mark is not None and mark.left_alone for mark in marks):
            return distance / (RAMP + 1)
    return 1.0
