"""Where each result will go, decided and checked before anything is done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deblur_cli.errors import UsageError
from deblur_cli.imaging.read import SUFFIXES
from deblur_cli.pipeline.discover import Source
from deblur_cli.pipeline.paths import identity, is_folder, place

_MARK = "_deblurred"
_SAME_FORMAT = {".jpe": ".jpg", ".jpeg": ".jpg", ".jfif": ".jpg", ".tif": ".tiff"}


@dataclass(frozen=True)
class Job:
    """One picture to restore: where it lies, where its result goes, whose ledger records it."""

    source: Path
    target: Path
    folder: Path


def plan(sources: Sequence[Source], output: str | None = None) -> tuple[Job, ...]:
    """Map every source to its target.

    Without `output` a folder `photos` goes to `photos_deblurred`, mirrored, and a file `a.jpg` to
    `a_deblurred.jpg` beside it. With `output` everything goes below that folder; several input
    folders keep their names there. For a single named file `output` may also be a file's name.

    Raises:
        UsageError: two results would have one name, a result would overwrite an input, `output`
            is a file where a folder is needed, or names a file of another format.
    """
    if output is None:
        jobs = tuple(_beside(source) for source in sources)
    elif _names_a_file(sources, output):
        target = Path(output)
        _refuse_another_format(sources[0].path, target)
        jobs = (Job(sources[0].path, target, target.parent),)
    else:
        jobs = _into_folder(sources, Path(output))
    _refuse_collisions(jobs)
    _refuse_inputs_as_targets(jobs)
    return jobs


def _beside(source: Source) -> Job:
    if source.folder is None:
        path = source.path
        target = path.with_name(f"{path.stem}{_MARK}{path.suffix}")
        return Job(path, target, target.parent)
    folder = _named(source.folder)
    if not folder.name:
        raise UsageError("has no name to derive the output folder from", path=folder, remedy="-o")
    folder = folder.with_name(folder.name + _MARK)
    return Job(source.path, folder / source.below, folder)


def _named(folder: Path) -> Path:
    """The folder by its own name, for inputs such as `.` and `..`."""
    return folder.resolve() if folder.name in ("", "..") else folder


def _names_a_file(sources: Sequence[Source], output: str) -> bool:
    single = len(sources) == 1 and sources[0].folder is None
    means_folder = output.endswith(("/", os.sep)) or is_folder(Path(output))
    return single and not means_folder and Path(output).suffix.lower() in SUFFIXES


def _refuse_another_format(source: Path, target: Path) -> None:
    endings = [path.suffix.lower() for path in (source, target)]
    before, after = (_SAME_FORMAT.get(ending, ending) for ending in endings)
    if before != after:
        raise UsageError(
            f"would be of another format than {source}",
            path=target,
            remedy=f"a result keeps its format; end the name in {source.suffix}",
        )


def _into_folder(sources: Sequence[Source], output: Path) -> tuple[Job, ...]:
    if identity(output) is not None and not is_folder(output):
        raise UsageError("is a file", path=output, remedy="-o must name a folder for these inputs")
    several = len({source.folder for source in sources if source.folder is not None}) > 1
    jobs = []
    for source in sources:
        keeps_name = several and source.folder is not None
        parent = output / _named(source.folder).name if keeps_name and source.folder else output
        jobs.append(Job(source.path, parent / source.below, output))
    return tuple(jobs)


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    taken: dict[Path, Path] = {}
    for job in jobs:
        key = place(job.target)
        if key in taken:
            raise UsageError(
                f"would be the result of both {taken[key]} and {job.source}",
                path=job.target,
                remedy="run them separately, each with its own -o",
            )
        taken[key] = job.source


def _refuse_inputs_as_targets(jobs: Sequence[Job]) -> None:
    inputs = {identity(job.source) for job in jobs} - {None}
    for job in jobs:
        if identity(job.target) in inputs:
            raise UsageError(
                f"is an input, and the result of {job.source} would overwrite it",
                path=job.target,
                remedy="inputs are never touched; choose another folder with -o",
            )
