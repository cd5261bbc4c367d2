"""The options of `deblur run` alone, in the groups that its help shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

import deblur_cli
from deblur_cli.cli import options
from deblur_cli.cli.run_report import check_report
from deblur_cli.errors import UsageError
from deblur_cli.pipeline.discovery.filter import Filter
from deblur_cli.pipeline.discovery.shard import Shard
from deblur_cli.pipeline.naming import Template
from deblur_cli.pipeline.treatment import Conduct, Depth, Treatment
from deblur_cli.storage.remote import is_url, located

if TYPE_CHECKING:
    from deblur_cli.pipeline.plan import Destination


@dataclass(frozen=True)
class InputOptions:
    """Which pictures."""

    heading: ClassVar[str] = "Inputs"

    files_from: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Take more inputs from this list, or from stdin (-): one on each line, or "
            "separated by NUL bytes.",
        ),
    ] = None
    include: Annotated[
        list[str],
        typer.Option(
            metavar="GLOB",
            help="Only pictures whose path below INPUT, or one of its names, fits; repeatable.",
        ),
    ] = field(default_factory=list)
    exclude: Annotated[
        list[str],
        typer.Option(metavar="GLOB", help="Leave out what fits, folders too; repeatable."),
    ] = field(default_factory=list)
    no_recursive: Annotated[
        bool, typer.Option("--no-recursive", help="Leave out the folders inside a folder.")
    ] = False
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Only the I-th of N parts, by the pictures' names."),
    ] = None
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Only pictures that failed in an earlier run.")
    ] = False
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="At most N pictures that are not done yet."),
    ] = None
    max_pixels: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Refuse pictures that claim to have more pixels."),
    ] = None

    @property
    def for_files(self) -> dict[str, object]:
        """What makes no sense for a stream."""
        return {
            "--files-from": self.files_from,
            "--include": self.include,
            "--exclude": self.exclude,
            "--no-recursive": self.no_recursive,
            "--shard": self.shard,
            "--retry-failed": self.retry_failed,
            "--limit": self.limit,
        }

    def filter(self, sheets: Path | None) -> Filter:
        """Which pictures of folders and lists count; `sheets` is never searched."""
        apart = () if sheets is None else (sheets,)
        return Filter(tuple(self.include), tuple(self.exclude), not self.no_recursive, apart)

    @property
    def part(self) -> Shard:
        """The share of the pictures; raises `UsageError`."""
        return Shard.parse(self.shard) if self.shard is not None else Shard()


@dataclass(frozen=True)
class ResultOptions:
    """Where results go and how they are written."""

    heading: ClassVar[str] = "Results"

    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Folder for the results, or a file's name for one input. "
            "[default: photos → photos_deblurred, a.jpg → a_deblurred.jpg]",
        ),
    ] = None
    name: Annotated[
        str | None,
        typer.Option(
            metavar="TEMPLATE",
            help="Names of the results, of {stem}, {ext}, {model} and {task}, such as "
            "'{stem}_{model}{ext}'.",
        ),
    ] = None
    in_place: Annotated[
        bool,
        typer.Option("--in-place", help="Replace each input by its result, once that is whole."),
    ] = False
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that stand in a result's place.")
    ] = False
    format: Annotated[
        str | None, typer.Option(help="Write this format, such as png, tiff or jpeg.")
    ] = None
    depth: Annotated[
        Depth | None, typer.Option(help="Bits of a sample. [default: as the input]")
    ] = None
    quality: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Of lossy formats. [default: near the input's]"),
    ] = None
    strip: Annotated[
        bool,
        typer.Option("--strip", help="Leave out all metadata but colour profile and resolution."),
    ] = False
    preserve_times: Annotated[
        bool, typer.Option("--preserve-times", help="Give results the times of their inputs.")
    ] = False
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Put a JPEG there for each picture: before and after, side by side.",
        ),
    ] = None

    @property
    def for_files(self) -> dict[str, object]:
        """What makes no sense for a stream."""
        return {
            "--output": self.output,
            "--name": self.name,
            "--in-place": self.in_place,
            "--overwrite": self.overwrite,
            "--preserve-times": self.preserve_times,
            "--compare": self.compare,
        }

    @property
    def written_format(self) -> str | None:
        """The format's name; raises `UsageError` if it cannot be written, or not as deep."""
        from deblur_cli.pipeline.formats import written_format

        return None if self.format is None else written_format(self.format, self.depth)

    @property
    def folder(self) -> Path | None:
        """Where no inputs are looked for."""
        return located(self.output) if self.output is not None else None

    def check(self, inputs: Sequence[str]) -> None:
        """Refuse what contradicts itself; raises `UsageError`."""
        if self.preserve_times and is_url(self.output or next(iter(inputs), "")):
            raise UsageError(
                "--preserve-times: a storage sets the times itself", remedy="leave it out"
            )
        if self.compare is not None and is_url(str(self.compare)):
            raise UsageError("--compare needs a folder of this machine")
        elsewhere = {"--output": self.output, "--name": self.name, "--format": self.format}
        for option, value in elsewhere.items():
            if self.in_place and value is not None:
                raise UsageError(
                    f"--in-place and {option} exclude each other", remedy="leave one of them out"
                )
        self.destination(model="", task="")

    def destination(self, model: str, task: str) -> Destination:
        """Where results go; raises `UsageError`."""
        from deblur_cli.pipeline.plan import Destination

        template = None if self.name is None else Template(self.name, model=model, task=task)
        return Destination(self.output, template, self.in_place, self.written_format, self.compare)

    def conduct(self, model: str, max_pixels: int | None) -> Conduct:
        """How the batch goes about it."""
        software = f"deblur {deblur_cli.__version__} ({model})"
        return Conduct(self.overwrite, self.preserve_times, max_pixels, software)


@dataclass(frozen=True)
class RestorationOptions:
    """What is done to each picture."""

    heading: ClassVar[str] = "Restoration"

    strength: Annotated[
        float, typer.Option(help="From 0, the input, to 1, the network's result.")
    ] = 1.0
    skip_sharp: Annotated[
        Any,
        typer.Option(
            parser=options.parse_skip_sharp,
            metavar="auto|SCORE",
            help="Copy pictures that are as sharp as this, from 0 to 1, instead of restoring "
            "them; auto: 0.5, nothing is blurred by more than a pixel.",
        ),
    ] = None

    def check(self) -> None:
        """Refuse what makes no sense; raises `UsageError`."""
        options.check_strength(self.strength)
        options.sharp_from(self.skip_sharp)

    def treatment(self, results: ResultOptions) -> Treatment:
        """What is done to each picture and its file."""
        return Treatment(
            strength=self.strength,
            format=results.written_format,
            depth=results.depth,
            quality=results.quality,
            strip=results.strip,
            skip_sharp=options.sharp_from(self.skip_sharp),
        )


@dataclass(frozen=True)
class BatchOptions:
    """How the batch goes, and what it tells."""

    heading: ClassVar[str] = "Batch"

    ray: options.Ray = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, on stdout.")
    ] = False
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="End the batch when a picture fails.")
    ] = False
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write an HTML page on the batch: before and after, scores, failures, times.",
        ),
    ] = None
    status_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep this JSON file up to date: done, failed, left."),
    ] = None
    log: options.Log = None
    json: options.Json = False
    quiet: options.Quiet = False

    @property
    def for_files(self) -> dict[str, object]:
        """What makes no sense for a stream."""
        return {
            "--ray": self.ray,
            "--dry-run": self.dry_run,
            "--report": self.report,
            "--status-file": self.status_file,
            "--json": self.json,
        }

    def check(self) -> None:
        """Refuse what makes no sense; raises `UsageError`."""
        if self.report is not None:
            check_report(self.report, self.dry_run)
