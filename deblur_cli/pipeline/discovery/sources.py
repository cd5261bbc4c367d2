"""The pictures that were found, folder by folder, so that a million of them need little room."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from deblur_cli.pipeline.sequences import Lazy


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that lie in one folder.

    Args:
        parent: the folder they lie in.
        below: the folder's place below an output folder: its path in the input folder, or in a
            list; empty for files that were named themselves.
        folder: the input folder they were found in; None for named files and a pattern's matches.
        names: theirs.
    """

    parent: Path
    below: Path
    folder: Path | None
    names: list[str]


@dataclass(frozen=True, slots=True)
class Source:
    """One picture to restore: one name of a group."""

    group: Group
    name: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.group.parent / self.name

    @property
    def below(self) -> Path:
        """Its place below an output folder."""
        return self.group.below / self.name

    @property
    def folder(self) -> Path | None:
        """The input folder it was found in, if there is one."""
        return self.group.folder


class Sources(Lazy[Source]):
    """All pictures of some groups, in their order."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self._groups = tuple(groups)
        self._starts = [0, *accumulate(len(group.names) for group in self._groups)]

    def __len__(self) -> int:
        """How many pictures there are."""
        return self._starts[-1]

    def __iter__(self) -> Iterator[Source]:
        """Group by group."""
        return (Source(group, name) for group in self._groups for name in group.names)

    def _at(self, place: int) -> Source:
        number = bisect_right(self._starts, place) - 1
        group = self._groups[number]
        return Source(group, group.names[place - self._starts[number]])


def several_folders(sources: Sequence[Source]) -> frozenset[Path]:
    """The input folders, if there is more than one."""
    groups = {id(source.group): source.group for source in sources}
    folders = frozenset(group.folder for group in groups.values() if group.folder is not None)
    return folders if len(folders) > 1 else frozenset()
