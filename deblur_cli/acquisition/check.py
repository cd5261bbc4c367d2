"""Whether a data set that lies here is whole: as many pairs as published, and all readable."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from deblur_cli.data.datasets import PairedDataset, open_dataset
from deblur_cli.data.layouts import Layout
from deblur_cli.data.pairs import Pair
from deblur_cli.data.published import PUBLISHED, RECOGNISED
from deblur_cli.data.skipping import check_headers
from deblur_cli.errors import DataError, DeblurError, UsageError
from deblur_cli.imaging.read import read_photo


class State(StrEnum):
    """How a split stands."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    ABSENT = "absent"


@dataclass(frozen=True)
class SplitCheck:
    """What was found of one split of a set."""

    set: str
    split: str
    state: State
    pairs: int = 0
    """Pairs, or photos of a set without truth; 0 if they cannot be told apart."""
    expected: int | None = None
    """As published; None if it was not."""
    folder: Path | None = None
    problems: tuple[str, ...] = ()

    @property
    def counted(self) -> str:
        """What the set consists of, for people."""
        return "pairs" if PUBLISHED[self.set].has_truth else "photos"


def splits_of(names: Iterable[str], only: str | None) -> list[tuple[str, str]]:
    """Sets with their splits, or with one of them.

    Raises:
        UsageError: a set has no such split.
    """
    found = []
    for name in names:
        splits = PUBLISHED[name].counts
        if only is not None and only not in splits:
            raise UsageError(f"{name} has no split '{only}'", remedy=f"one of {', '.join(splits)}")
        found += [(name, split) for split in splits if only in (None, split)]
    return found


def check_split(name: str, split: str, data: Path, decode: bool = False) -> SplitCheck:
    """Count the pairs of a split, and look for photos that are missing, alone or damaged.

    Args:
        name: of the set, as in `PUBLISHED`.
        split: of the set.
        data: where it is looked for.
        decode: read every photo to its end; otherwise only the beginning of each file.
    """
    expected = PUBLISHED[name].counts[split]
    located = _locate(name, split, data)
    if located is None:
        return SplitCheck(name, split, State.ABSENT, expected=expected)
    folder = located[0]
    try:
        dataset = open_dataset(name, data, split)
    except UsageError as error:
        return SplitCheck(name, split, State.INCOMPLETE, 0, expected, folder, (str(error),))
    problems = tuple(_problems(dataset, decode))
    state = State.INCOMPLETE if problems else State.COMPLETE
    return SplitCheck(name, split, state, len(dataset), expected, folder, problems)


def exit_code(checks: Iterable[SplitCheck]) -> int:
    """0 all splits are complete, 1 not all, 3 none is there."""
    states = {check.state for check in checks}
    if states == {State.COMPLETE}:
        return 0
    return DataError.exit_code if states == {State.ABSENT} else DeblurError.exit_code


def _locate(name: str, split: str, data: Path) -> tuple[Path, Layout] | None:
    """As the set itself locates it; any photo is one of a set without layout, if no other's."""
    located = PUBLISHED[name].locate(data, split)
    if located is None or PUBLISHED[name].has_truth or located[0] != data / ".":
        return located
    others = (PUBLISHED[other].locate(data, split) for other in RECOGNISED)
    return None if any(others) else located


def _problems(dataset: PairedDataset, decode: bool) -> Iterator[str]:
    if dataset.expected is not None and dataset.expected != len(dataset):
        yield f"{len(dataset):,} pairs are here, {dataset.expected:,} were published"
    faults = check_headers(dataset)
    yield from faults.values()
    if decode:
        yield from _damaged(pair for pair in dataset if pair not in faults)


def _damaged(pairs: Iterable[Pair]) -> Iterator[str]:
    photos = [path for pair in pairs for path in (pair.blurred, pair.sharp) if path is not None]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from filter(None, pool.map(_damage, photos))


def _damage(photo: Path) -> str:
    try:
        read_photo(photo)
    except DeblurError as error:
        return str(error)
    return ""
