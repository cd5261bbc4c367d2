"""Where each result will go, decided and checked before anything is done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deblur_cli.errors import UsageError
from deblur_cli.imaging.read import SUFFIXES
from deblur_cli.pipeline.discover import Source
from deblur_cli.pipeline.formats import ending, same_format
from deblur_cli.pipeline.naming import Template
from deblur_cli.pipeline.paths import identity, is_folder, place

_MARK = "_deblurred"


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


def plan(sources: Sequence[Source], wanted: Destination) -> tuple[Job, ...]:
    """Map every source to its target, in the same order.

    With an output folder everything goes below it; several input folders keep their names there.

    Raises:
        UsageError: results would have one name, a result would overwrite an input, the output
            is a file where a folder is needed, or a name does not fit the result's format.
    """
    if wanted.in_place:
        _refuse_unwritable(sources)
        jobs = [_in_place(source) for source in sources]
    elif wanted.output is None:
        jobs = [_beside(source, wanted) for source in sources]
    elif _names_a_file(sources, wanted.output):
        jobs = [_as_named(sources[0], Path(wanted.output), wanted)]
    else:
        jobs = _into_folder(sources, Path(wanted.output), wanted)
    if wanted.sheets is not None:
        jobs = _with_sheets(jobs, wanted.sheets)
    _refuse_collisions((job.target, job.source) for job in jobs)
    _refuse_collisions((job.sheet, job.source) for job in jobs if job.sheet is not None)
    _refuse_inputs_as_targets(jobs)
    return tuple(jobs)


def _in_place(source: Source) -> Job:
    target = Path(os.path.realpath(source.path))
    return Job(source.path, target, source.folder or target.parent, in_place=True)


def _refuse_unwritable(sources: Sequence[Source]) -> None:
    paths = [source.path for source in sources]
    changing = [path for path in paths if not same_format(ending(path, None), path.suffix)]
    if changing:
        raise UsageError(
            f"cannot be restored in place, as their format is not written: {_enumerated(changing)}",
            remedy="leave them out with --exclude, or write elsewhere with -o",
        )


def _beside(source: Source, wanted: Destination) -> Job:
    if source.folder is None:
        folder = source.path.parent
        target = _named(source.path, folder, wanted, mark=_MARK)
        return Job(source.path, target, folder)
    folder = _by_its_own_name(source.folder)
    if not folder.name:
        raise UsageError("has no name to derive the output folder from", path=folder, remedy="-o")
    folder = folder.with_name(folder.name + _MARK)
    target = _named(source.path, folder / source.below.parent, wanted)
    return Job(source.path, target, folder)


def _named(source: Path, parent: Path, wanted: Destination, mark: str = "") -> Path:
    """The result's path below the folder where the input is mirrored."""
    suffix = ending(source, wanted.format)
    if wanted.template is None:
        return parent / f"{source.stem}{mark}{suffix}"
    target = parent / wanted.template.name(source, suffix)
    _refuse_another_format(source, target, wanted.format)
    return target


def _by_its_own_name(folder: Path) -> Path:
    """The folder for inputs such as `.` and `..`."""
    return folder.resolve() if folder.name in ("", "..") else folder


def _names_a_file(sources: Sequence[Source], output: str) -> bool:
    single = len(sources) == 1 and sources[0].folder is None
    means_folder = output.endswith(("/", os.sep)) or is_folder(Path(output))
    return single and not means_folder and Path(output).suffix.lower() in SUFFIXES


def _as_named(source: Source, target: Path, wanted: Destination) -> Job:
    if wanted.template is not None:
        raise UsageError(
            "names the result already", path=target, remedy="leave out --name, or give a folder"
        )
    _refuse_another_format(source.path, target, wanted.format)
    return Job(source.path, target, target.parent)


def _refuse_another_format(source: Path, target: Path, wanted: str | None) -> None:
    suffix = ending(source, wanted)
    if not same_format(suffix, target.suffix):
        raise UsageError(
            f"would be of another format than the result of {source}",
            path=target,
            remedy=f"end the name in {suffix or 'no suffix'}, or choose with --format",
        )


def _into_folder(sources: Sequence[Source], output: Path, wanted: Destination) -> list[Job]:
    if identity(output) is not None and not is_folder(output):
        raise UsageError("is a file", path=output, remedy="-o must name a folder for these inputs")
    several = len({source.folder for source in sources if source.folder is not None}) > 1
    jobs = []
    for source in sources:
        top = output
        if several and source.folder is not None:
            top /= _by_its_own_name(source.folder).name
        target = _named(source.path, top / source.below.parent, wanted)
        jobs.append(Job(source.path, target, output))
    return jobs


def _with_sheets(jobs: Sequence[Job], sheets: Path) -> list[Job]:
    """Sheets lie as the results do; those of several output folders keep the folders' names."""
    several = len({job.folder for job in jobs}) > 1
    placed = []
    for job in jobs:
        shown = job.source if job.in_place else job.target
        is_below = shown.is_relative_to(job.folder)
        below = shown.relative_to(job.folder) if is_below else Path(shown.name)
        top = sheets / _by_its_own_name(job.folder).name if several else sheets
        placed.append(replace(job, sheet=top / below.with_name(f"{below.name}.jpg")))
    return placed


def _refuse_collisions(results: Iterable[tuple[Path, Path]]) -> None:
    taken: dict[Path, list[tuple[Path, Path]]] = {}
    for target, source in results:
        taken.setdefault(place(target), []).append((target, source))
    clashes = [
        f"{same[0][0]} would be the result of both {_enumerated([source for _, source in same])}"
        for same in taken.values()
        if len(same) > 1
    ]
    if clashes:
        raise UsageError(
            "; ".join(clashes),
            remedy="tell them apart with --name, or run them separately, each with its own -o",
        )


def _enumerated(paths: Sequence[Path]) -> str:
    *first, last = map(str, paths)
    return f"{', '.join(first)} and {last}" if first else last


def _refuse_inputs_as_targets(jobs: Sequence[Job]) -> None:
    inputs = {identity(job.source) for job in jobs} - {None}
    for job in jobs:
        if not job.in_place and identity(job.target) in inputs:
            raise UsageError(
                f"is an input, and the result of {job.source} would overwrite it",
                path=job.target,
                remedy="choose another folder with -o, or replace the inputs with --in-place",
            )
