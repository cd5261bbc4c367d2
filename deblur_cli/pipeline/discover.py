"""Finds the pictures that the given files, folders and patterns mean."""

from __future__ import annotations

import glob
import os
import stat
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deblur_cli.errors import ImageReadError, NothingToDoError, UsageError
from deblur_cli.imaging.read import SUFFIXES, looks_like_image
from deblur_cli.pipeline.events import Failed
from deblur_cli.pipeline.filter import ANY_FOLDERS, Filter, fits
from deblur_cli.pipeline.ledger import Ledger
from deblur_cli.pipeline.paths import LEDGER_FOLDER, identity, is_folder, is_special, place

_EVERYTHING = Filter()
_DEBRIS = {"thumbs.db", "desktop.ini", "ehthumbs.db"}


@dataclass(frozen=True)
class Source:
    """One picture to restore.

    Args:
        path: where it lies.
        below: its place below an output folder: its path in the input folder, or in a list; a
            bare name for a file that was named itself.
        folder: the input folder it was found in; None for a named file or a pattern's match.
    """

    path: Path
    below: Path
    folder: Path | None = None


@dataclass(frozen=True)
class Discovery:
    """What the inputs mean: pictures, how many other files were passed over, what is missing.

    `left_out` is how many pictures the filter leaves out.
    """

    sources: tuple[Source, ...]
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
    if not search.found:
        raise _nothing_found(search)
    sources, results = _leave_out_results(tuple(search.found.values()))
    skipped, missing = search.skipped + results, tuple(search.missing)
    return Discovery(sources, skipped, missing, len(search.left_out - search.found.keys()))


@dataclass
class _Search:
    chosen: Filter
    apart: tuple[Path, ...]
    found: dict[Path, Source] = field(default_factory=dict)
    skipped: int = 0
    left_out: set[Path] = field(default_factory=set)
    missing: list[Failed] = field(default_factory=list)

    def add(self, given: str, keep_folders: bool = False) -> None:
        if not given:
            raise UsageError("an input is empty", remedy="check the variable or quotes it is from")
        path = Path(given)
        try:
            mode = path.stat().st_mode
        except OSError as error:
            if glob.has_magic(given):
                self._add_pattern(given)
            else:
                self._miss(_why_unreachable(error), path)
            return
        if stat.S_ISDIR(mode):
            self._add_folder(path)
        elif stat.S_ISREG(mode):
            self._add(Source(path, _in_list(path) if keep_folders else Path(path.name)))
        else:
            self._miss("is not a regular file", path)

    def _add_folder(self, folder: Path) -> None:
        depth = None if self.chosen.recursive else 0
        for path in sorted(_files_below(folder, self.apart, self._miss, depth)):
            self._add_candidate(Source(path, path.relative_to(folder), folder))

    def _add_pattern(self, pattern: str) -> None:
        fixed = _fixed_part(pattern)
        wanted = Path(pattern).relative_to(fixed).parts
        depth = None if ANY_FOLDERS in wanted else len(wanted) - 1
        below = [
            path.relative_to(fixed)
            for path in sorted(_files_below(fixed, self.apart, _as_the_shell_does, depth))
        ]
        matches = [path for path in below if fits(path.parts, wanted)]
        if not matches:
            self._miss("no file matches this pattern", Path(pattern))
        for match in matches:
            self._add_candidate(Source(fixed / match, match))

    def _add_candidate(self, source: Source) -> None:
        """A file that nobody named: a picture by its ending, else by its content."""
        path = source.path
        if not is_special(path) and (path.suffix.lower() in SUFFIXES or looks_like_image(path)):
            self._add(source)
        elif not _is_debris(path):
            self.skipped += 1

    def _add(self, source: Source) -> None:
        if _is_debris(source.path):
            return
        where = place(source.path)
        if self.chosen.takes(source.below):
            self.found.setdefault(where, source)
        else:
            self.left_out.add(where)

    def _miss(self, problem: str, path: Path) -> None:
        self.missing.append(
            Failed(path, ImageReadError(problem, path=path, remedy="check the path"))
        )


def _files_below(
    folder: Path,
    apart: Iterable[Path],
    miss: Callable[[str, Path], None],
    depth: int | None = None,
) -> Iterator[Path]:
    """Files of the folder's own tree, then of those that its symbolic links lead to."""
    seen = {identity(path) for path in apart} - {identity(folder), None}
    tops = deque([folder])

    def report(error: OSError) -> None:
        miss(f"the folder cannot be read: {error.strerror}", Path(error.filename))

    while tops:
        for name, folders, files in os.walk(tops.popleft(), onerror=report):
            parent = Path(name)
            is_deepest = len(parent.relative_to(folder).parts) == depth
            found = identity(parent)
            if found in seen:
                folders.clear()
                continue
            seen.add(found)
            folders[:] = [] if is_deepest else _visible(folders)
            tops.extend(parent / name for name in folders if (parent / name).is_symlink())
            yield from (parent / name for name in _visible(files))


def _in_list(path: Path) -> Path:
    """A listed file's place below an output folder: with its folders, if they are surely below."""
    return Path(path.name) if path.is_absolute() or ".." in path.parts else path


def _visible(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith("."))


def _as_the_shell_does(problem: str, path: Path) -> None:
    """A pattern passes over folders that cannot be read."""


def _is_debris(path: Path) -> bool:
    return path.name.lower() in _DEBRIS


def _why_unreachable(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "no such file or folder"
    return f"cannot be read: {error.strerror}"


def _fixed_part(pattern: str) -> Path:
    """The folders of a pattern before its first wildcard."""
    parts = Path(pattern).parts[:-1]
    fixed = Path()
    for part in parts:
        if glob.has_magic(part):
            break
        fixed /= part
    return fixed


def _leave_out_results(sources: tuple[Source, ...]) -> tuple[tuple[Source, ...], int]:
    """Drop pictures that an earlier run made from another one of them."""
    places = [place(source.path) for source in sources]
    inputs = set(places)
    folders = {
        parent for path in {path.parent for path in places} for parent in (path, *path.parents)
    }
    ledgers = [Ledger(folder) for folder in folders if is_folder(folder / LEDGER_FOLDER)]
    kept = tuple(
        source
        for source, path in zip(sources, places, strict=True)
        if not _is_result(path, ledgers, inputs)
    )
    return kept, len(sources) - len(kept)


def _is_result(path: Path, ledgers: Iterable[Ledger], inputs: Container[Path]) -> bool:
    made_from = (ledger.source_of(path) for ledger in ledgers)
    return any(source in inputs and source != path for source in made_from)


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
