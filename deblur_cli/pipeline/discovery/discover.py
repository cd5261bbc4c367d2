"""Finds the pictures that the given files, folders and patterns mean."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from deblur_cli.errors import ImageReadError, NothingToDoError, UsageError
from deblur_cli.imaging.read import SUFFIXES, looks_like_image
from deblur_cli.pipeline.discovery.filter import ANY_FOLDERS, Filter, fits
from deblur_cli.pipeline.discovery.sources import Group, Source, Sources
from deblur_cli.pipeline.discovery.walk import Listing, walk
from deblur_cli.pipeline.events import Failed
from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.paths import LEDGER_FOLDER, Named, Places, is_folder, is_top
from deblur_cli.storage.remote import RemotePath, located

__all__ = ["Discovery", "Source", "discover"]

_EVERYTHING = Filter()
_DEBRIS = {"thumbs.db", "desktop.ini", "ehthumbs.db"}


@dataclass(frozen=True)
class Discovery:
    """What the inputs mean: pictures, how many other files were passed over, what is missing.

    `left_out` is how many pictures the filter leaves out.
    """

    sources: Sequence[Source]
    skipped: int
    missing: tuple[Failed, ...]
    left_out: int = 0


def discover(
    inputs: Iterable[str | Path],
    output: Path | None = None,
    chosen: Filter = _EVERYTHING,
    listed: Iterable[str] = (),
) -> Discovery:
    """Find every picture, each once, in a stable order.

    Folders are searched to the bottom, symbolic links last and no folder twice. Files that are no
    images are skipped and counted, and so are results that an earlier run made from another picture
    of this discovery; what is hidden or lies in `output` is ignored. A file named by itself always
    counts as a picture: whether it is one shows when it is read.

    `listed` are more inputs; a relative path among them keeps its folders.

    Raises:
        NothingToDoError: there is no picture at all.
        UsageError: an input is an empty text.
        ImageWriteError: a ledger that may tell results from inputs cannot be read.
    """
    search = _Search(chosen, chosen.apart if output is None else (output, *chosen.apart))
    for given in inputs:
        search.add(str(given))
    for given in listed:
        search.add(given, keep_folders=True)
    if not len(search.found):
        raise _nothing_found(search)
    groups, results = _without_results(search)
    missing, left_out = tuple(search.missing), search.left_out.without(search.found)
    return Discovery(Sources(groups), search.skipped + results, missing, left_out)


@dataclass
class _Search:
    chosen: Filter
    apart: tuple[Path, ...]
    groups: list[Group] = field(default_factory=list)
    places: Places = field(default_factory=Places)
    found: Named = field(default_factory=Named)
    left_out: Named = field(default_factory=Named)
    skipped: int = 0
    missing: list[Failed] = field(default_factory=list)

    def add(self, given: str, keep_folders: bool = False) -> None:
        if not given:
            raise UsageError("an input is empty", remedy="check the variable or quotes it is from")
        path = located(given)
        try:
            mode = path.stat().st_mode
        except OSError as error:
            if glob.has_magic(given):
                self._add_pattern(given)
            else:
                self._miss(_why_unreachable(error, isinstance(path, RemotePath)), path)
            return
        if stat.S_ISDIR(mode):
            self._add_folder(path)
        elif stat.S_ISREG(mode):
            below = _in_list(path) if keep_folders else Path(path.name)
            if not _is_debris(path.name):
                self._add(path.parent, below.parent, None, [path.name])
        else:
            self._miss("is not a regular file", path)

    def _add_folder(self, top: Path) -> None:
        depth = None if self.chosen.recursive else 0
        for listing in sorted(walk(top, self.apart, self._miss, depth), key=_by_folder):
            below = listing.folder.relative_to(top)
            self._add_candidates(listing, below, top, [*listing.files, *listing.special])

    def _add_pattern(self, pattern: str) -> None:
        fixed = _fixed_part(pattern)
        wanted = located(pattern).relative_to(fixed).parts
        depth = None if ANY_FOLDERS in wanted else len(wanted) - 1
        nothing = True
        for listing in sorted(walk(fixed, self.apart, _as_the_shell_does, depth), key=_by_folder):
            below = listing.folder.relative_to(fixed)
            names = (*listing.files, *listing.special)
            matches = [name for name in names if fits((*below.parts, name), wanted)]
            nothing = nothing and not matches
            self._add_candidates(listing, below, None, matches)
        if nothing:
            self._miss("no file matches this pattern", located(pattern))

    def _add_candidates(
        self, listing: Listing, below: Path, top: Path | None, names: Iterable[str]
    ) -> None:
        """Files that nobody named: pictures by their endings, else by their content."""
        special, pictures = set(listing.special), []
        for name in names:
            if name not in special and _looks_like_picture(listing.folder, name):
                pictures.append(name)
            elif not _is_debris(name):
                self.skipped += 1
        self._add(listing.folder, below, top, pictures)

    def _add(self, parent: Path, below: Path, top: Path | None, names: Iterable[str]) -> None:
        """Pictures of one folder; those that were found already are passed over."""
        where = self.places.folder(parent)
        if not self.chosen.takes_all:
            taken: list[str] = []
            left: list[str] = []
            for name in names:
                (taken if self.chosen.takes(below / name) else left).append(name)
            for name in left:
                self.left_out.add(where, name)
            names = taken
        new = [name for name in names if self.found.add(where, name)]
        last = self.groups[-1] if self.groups else None
        if last is not None and (last.parent, last.below, last.folder) == (parent, below, top):
            last.names.extend(new)
        elif new:
            self.groups.append(Group(parent, below, top, new))

    def _miss(self, problem: str, path: Path) -> None:
        self.missing.append(
            Failed(path, ImageReadError(problem, path=path, remedy="check the path"))
        )


def _by_folder(listing: Listing) -> tuple[str, ...]:
    return listing.folder.parts


def _looks_like_picture(folder: Path, name: str) -> bool:
    suffix = os.path.splitext(name)[1]  # noqa: PTH122 - no path is made of each of a million names
    if isinstance(folder, RemotePath):
        return suffix.lower() in SUFFIXES
    return suffix.lower() in SUFFIXES or (not _is_debris(name) and looks_like_image(folder / name))


def _in_list(path: Path) -> Path:
    """A listed file's place below an output folder: with its folders, if they are surely below."""
    return Path(path.name) if path.is_absolute() or ".." in path.parts else path


def _as_the_shell_does(problem: str, path: Path) -> None:
    """A pattern passes over folders that cannot be read."""


def _is_debris(name: str) -> bool:
    return name.lower() in _DEBRIS


def _why_unreachable(error: OSError, remote: bool) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError) and not remote:
        return "no such file or folder"
    return f"cannot be read: {error.strerror}"


def _fixed_part(pattern: str) -> Path:
    """The folders of a pattern before its first wildcard."""
    *_, fixed = takewhile(
        lambda folder: not glob.has_magic(folder.name), reversed(located(pattern).parents)
    )
    return fixed


def _without_results(search: _Search) -> tuple[list[Group], int]:
    """The groups without what an earlier run made of another picture, and how many those are."""
    ledgers, kept, results = _Ledgers(), [], 0
    for group in search.groups:
        where = located(search.places.folder(group.parent))
        above = ledgers.above(where)
        if above:
            names = [name for name in group.names if not _is_result(where / name, above, search)]
            results += len(group.names) - len(names)
            group = replace(group, names=names)
        kept.append(group)
    return kept, results


class _Ledgers:
    """The ledgers of the folders above a picture, which are the ones that may know of it."""

    def __init__(self) -> None:
        self._above: dict[Path, tuple[Ledger, ...]] = {}

    def above(self, folder: Path) -> tuple[Ledger, ...]:
        if folder not in self._above:
            higher = () if is_top(folder) else self.above(folder.parent)
            own = (Ledger(folder),) if is_folder(folder / LEDGER_FOLDER) else ()
            self._above[folder] = (*own, *higher)
        return self._above[folder]


def _is_result(path: Path, ledgers: Iterable[Ledger], search: _Search) -> bool:
    made_from = (ledger.source_of(path) for ledger in ledgers)
    return any(
        source is not None and source != path and search.places.of(source) in search.found
        for source in made_from
    )


def _nothing_found(search: _Search) -> NothingToDoError:
    if len(search.missing) == 1:
        error = search.missing[0].error
        return NothingToDoError(error.problem, path=error.path, remedy=error.remedy)
    if search.missing:
        paths = ", ".join(str(failed.source) for failed in search.missing)
        return NothingToDoError(f"none of these can be read: {paths}", remedy="check the paths")
    passed_over = f"{search.skipped} other files were passed over"
    if search.left_out:
        passed_over += f", --include and --exclude left out {len(search.left_out)} pictures"
    return NothingToDoError(
        f"there is no image among the inputs ({passed_over})",
        remedy="name image files, or folders that hold some",
    )
