"""Where each result will go, decided and checked before anything is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from deblur_cli.errors import UsageError
from deblur_cli.imaging.read import SUFFIXES
from deblur_cli.pipeline.discovery.sources import Source, several_folders
from deblur_cli.pipeline.formats import ending, same_format
from deblur_cli.pipeline.naming import Template
from deblur_cli.pipeline.paths import Named, Places, identity, is_folder, is_there
from deblur_cli.pipeline.sequences import Mapped, Paired
from deblur_cli.storage.remote import RemotePath, located

_MARK = "_deblurred"
_APART = "leave some out with --exclude, or run them separately, each with its own -o"
_ONCE = "they are one file; leave out its other names with --exclude"


@dataclass(frozen=True)
class Job:
    """One picture to restore: where it lies, where its result goes, whose ledger records it.

    Args:
        source: the input.
        target: the result; in place the input itself, whatever links led to it.
        folder: the output folder.
        sheet: where before and after are shown side by side, if that is wanted.
        in_place: the result replaces the input.
    """

    source: Path
    target: Path
    folder: Path
    sheet: Path | None = None
    in_place: bool = False


@dataclass(frozen=True)
class Destination:
    """Where the user wants results.

    Args:
        output: folder for the results, or a file's name for a single named file; None puts a
            folder `photos` into `photos_deblurred`, mirrored, and a file `a.jpg` into
            `a_deblurred.jpg` beside it.
        template: their names; None keeps the inputs'.
        in_place: each result replaces its input; excludes the others but `sheets`.
        format: by its usual ending without the dot; None keeps the inputs'.
        sheets: folder for pictures of before and after.
    """

    output: str | None = None
    template: Template | None = None
    in_place: bool = False
    format: str | None = None
    sheets: Path | None = None


def plan(sources: Sequence[Source], wanted: Destination) -> Sequence[Job]:
    """Map every source to its target, in the same order; a job is made when it is asked for.

    With an output folder everything goes below it; several input folders keep their names there.

    Raises:
        UsageError: results would have one name, a result would overwrite an input, the output
            is a file where a folder is needed, or a name does not fit the result's format.
    """
    endings = [sys.intern(ending(source.path, wanted.format)) for source in sources]
    if wanted.in_place:
        _refuse_unwritable(sources, endings)
    jobs: Sequence[Job] = Mapped(Paired(sources, endings), _way(sources, wanted))
    remedy = _ONCE if wanted.in_place else _APART
    if wanted.sheets is not None:
        jobs = Mapped(jobs, _with_sheet(jobs, wanted.sheets))
        _refuse_collisions(jobs, lambda job: job.sheet, remedy)
    _refuse_collisions(jobs, lambda job: job.target, remedy)
    if not wanted.in_place:
        _refuse_inputs_as_targets(jobs)
    return jobs


_Ended = tuple[Source, str]
"""A source, and the ending of its result's name."""


def _way(sources: Sequence[Source], wanted: Destination) -> Callable[[_Ended], Job]:
    """How a source becomes a job."""
    if wanted.in_place:
        _refuse_objects(sources)
        return _in_place
    if wanted.output is None:
        return lambda ended: _beside(*ended, wanted)
    if _names_a_file(sources, wanted.output):
        target = located(wanted.output)
        return lambda ended: _as_named(*ended, target, wanted)
    return _into_folder(sources, located(wanted.output), wanted)


def _refuse_objects(sources: Sequence[Source]) -> None:
    for source in sources:
        if isinstance(source.group.parent, RemotePath):
            raise UsageError(
                "--in-place replaces files, not what is on a storage",
                path=source.path,
                remedy="write elsewhere with -o",
            )


def _in_place(ended: _Ended) -> Job:
    source, _ = ended
    target = Path(os.path.realpath(source.path))
    return Job(source.path, target, source.folder or target.parent, in_place=True)


def _refuse_unwritable(sources: Sequence[Source], endings: Sequence[str]) -> None:
    changing = [
        source.path
        for source, suffix in zip(sources, endings, strict=True)
        if not same_format(suffix, source.path.suffix)
    ]
    if changing:
        raise UsageError(
            f"cannot be restored in place, as their format is not written: {_enumerated(changing)}",
            remedy="leave them out with --exclude, or write elsewhere with -o",
        )


def _beside(source: Source, suffix: str, wanted: Destination) -> Job:
    path = source.path
    if source.folder is None:
        folder = path.parent
        return Job(path, _named(path, suffix, folder, wanted, mark=_MARK), folder)
    folder = _by_its_own_name(source.folder)
    if not folder.name or (isinstance(folder, RemotePath) and folder == folder.bucket):
        raise UsageError("has no name to derive the output folder from", path=folder, remedy="-o")
    folder = folder.with_name(folder.name + _MARK)
    return Job(path, _named(path, suffix, folder / source.group.below, wanted), folder)


def _named(source: Path, suffix: str, parent: Path, wanted: Destination, mark: str = "") -> Path:
    """The result's path below the folder where the input is mirrored."""
    if wanted.template is None:
        return parent / f"{source.stem}{mark}{suffix}"
    target = parent / wanted.template.name(source, suffix)
    _refuse_another_format(source, suffix, target)
    return target


def _by_its_own_name(folder: Path) -> Path:
    """The folder for inputs such as `.` and `..`."""
    return folder.resolve() if folder.name in ("", "..") else folder


def _names_a_file(sources: Sequence[Source], output: str) -> bool:
    single = len(sources) == 1 and sources[0].folder is None
    means_folder = output.endswith(("/", os.sep)) or is_folder(located(output))
    return single and not means_folder and located(output).suffix.lower() in SUFFIXES


def _as_named(source: Source, suffix: str, target: Path, wanted: Destination) -> Job:
    if wanted.template is not None:
        raise UsageError(
            "names the result already", path=target, remedy="leave out --name, or give a folder"
        )
    _refuse_another_format(source.path, suffix, target)
    return Job(source.path, target, target.parent)


def _refuse_another_format(source: Path, suffix: str, target: Path) -> None:
    if not same_format(suffix, target.suffix):
        raise UsageError(
            f"would be of another format than the result of {source}",
            path=target,
            remedy=f"end the name in {suffix or 'no suffix'}, or choose with --format",
        )


def _into_folder(
    sources: Sequence[Source], output: Path, wanted: Destination
) -> Callable[[_Ended], Job]:
    if is_there(output) and not is_folder(output):
        raise UsageError("is a file", path=output, remedy="-o must name a folder for these inputs")
    tops = {folder: output / _by_its_own_name(folder).name for folder in several_folders(sources)}

    @cache
    def mirrored(folder: Path | None, below: Path) -> Path:
        return (output if folder is None else tops.get(folder, output)) / below

    def job(ended: _Ended) -> Job:
        source, suffix = ended
        path, parent = source.path, mirrored(source.folder, source.group.below)
        return Job(path, _named(path, suffix, parent, wanted), output)

    return job


def _with_sheet(jobs: Sequence[Job], sheets: Path) -> Callable[[Job], Job]:
    """Sheets lie as the results do; those of several output folders keep the folders' names."""
    folders = {job.folder for job in jobs}
    several = len(folders) > 1
    tops = {folder: sheets / _by_its_own_name(folder).name for folder in folders if several}

    def placed(job: Job) -> Job:
        shown = job.source if job.in_place else job.target
        is_below = shown.is_relative_to(job.folder)
        below = shown.relative_to(job.folder) if is_below else Path(shown.name)
        top = tops.get(job.folder, sheets)
        return replace(job, sheet=top / below.with_name(f"{below.name}.jpg"))

    return placed


def _refuse_collisions(
    jobs: Sequence[Job], result: Callable[[Job], Path | None], remedy: str
) -> None:
    places, taken, twice = Places(), Named(), Named()
    for path in map(result, jobs):
        if path is not None:
            where = places.of(path)
            if not taken.add(*where):
                twice.add(*where)
    if not len(twice):
        return
    clashes: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        path = result(job)
        if path is not None and places.of(path) in twice:
            clashes.setdefault(places.of(path), []).append(job)
    raise UsageError(
        "; ".join(
            f"{result(same[0])} would be the result of both "
            f"{_enumerated([job.source for job in same])}"
            for same in clashes.values()
        ),
        remedy=remedy,
    )


def _enumerated(paths: Sequence[Path]) -> str:
    *first, last = map(str, paths)
    return f"{', '.join(first)} and {last}" if first else last


def _refuse_inputs_as_targets(jobs: Sequence[Job]) -> None:
    there = {identity(job.target) for job in jobs} - {None}
    if not there:
        return
    endangered = there & {identity(job.source) for job in jobs}
    for job in jobs:
        if endangered and identity(job.target) in endangered:
            raise UsageError(
                f"is an input, and the result of {job.source} would overwrite it",
                path=job.target,
                remedy="choose another folder with -o, or replace the inputs with --in-place",
            )
