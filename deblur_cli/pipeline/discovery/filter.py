"""What of the inputs counts: patterns on paths, and how deep folders are searched."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ANY_FOLDERS = "**"


@dataclass(frozen=True)
class Filter:
    """Which of the pictures found are taken.

    A pattern without `/` is compared with each name on a picture's path below its input, one with
    `/` with the path from its start; a folder that fits stands for all below it.

    Args:
        include: patterns of which one must fit; any picture if there are none.
        exclude: patterns of which none may fit.
        recursive: whether the folders inside a given folder are searched.
        apart: folders of results, which are never searched.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    recursive: bool = True
    apart: tuple[Path, ...] = ()

    @property
    def takes_all(self) -> bool:
        """Whether there is no pattern at all."""
        return not (self.include or self.exclude)

    def takes(self, below: Path) -> bool:
        """Whether a picture counts, by its path below the input."""
        included = not self.include or any(_fits_on_the_way(below, each) for each in self.include)
        return included and not any(_fits_on_the_way(below, each) for each in self.exclude)


def fits(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a path fits a pattern, name by name; `**` stands for any folders."""
    if not wanted:
        return not parts
    if wanted[0] == ANY_FOLDERS:
        return any(fits(parts[start:], wanted[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatch(parts[0], wanted[0]) and fits(parts[1:], wanted[1:])


def _fits_on_the_way(below: Path, pattern: str) -> bool:
    names = Path(pattern).parts
    wanted = names if "/" in pattern.rstrip("/") else (ANY_FOLDERS, *names)
    return any(fits(below.parts[:end], wanted) for end in range(1, len(below.parts) + 1))
