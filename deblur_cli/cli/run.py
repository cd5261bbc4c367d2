"""`deblur run`: restore photos, folders of photos, and what patterns match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from deblur_cli.cli.config import tell_settings
from deblur_cli.cli.console import QuietConsole, choose_console
from deblur_cli.cli.downloads import tell_downloads
from deblur_cli.cli.grouped import grouped
from deblur_cli.cli.log import open_log
from deblur_cli.cli.options import ModelOptions
from deblur_cli.cli.run_options import (
    BatchOptions,
    InputOptions,
    RestorationOptions,
    ResultOptions,
)
from deblur_cli.cli.run_ray import Workforce, check_for_cluster, workforce
from deblur_cli.cli.run_report import report_on, watched_by
from deblur_cli.cli.signals import INTERRUPTED, exit_on_sigterm, stop_on_signals
from deblur_cli.cli.status_file import StatusFile
from deblur_cli.cli.stream import refuse_with_stream, spooled
from deblur_cli.cli.teller import Teller
from deblur_cli.errors import DeblurError, UsageError
from deblur_cli.pipeline.discovery.listing import STANDARD_STREAM, read_listing
from deblur_cli.pipeline.events import Failed

if TYPE_CHECKING:
    from deblur_cli.pipeline.batch import AnyBatch
    from deblur_cli.pipeline.discovery.discover import Discovery
    from deblur_cli.pipeline.loaded import LoadedNetwork
    from deblur_cli.pipeline.plan import Job
    from deblur_cli.reporting.report import Report


@grouped
def run(
    *,
    context: typer.Context,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT", help="Files, folders or quoted patterns; - for stdin to stdout."
        ),
    ] = None,
    choice: InputOptions,
    results: ResultOptions,
    restoration: RestorationOptions,
    network: ModelOptions,
    how: BatchOptions,
) -> None:
    """Sharpen photos: each folder into a mirrored one, each file beside itself.

    Inputs are never touched, unless --in-place asks for it. The same command goes on where an
    earlier run stopped and does nothing twice. Exit codes: 0 everything done, 1 some inputs failed,
    2 wrong usage, 3 nothing could be done, 130 or 143 interrupted.
    """
    open_log(how.log)
    console = choose_console(how.quiet)
    tell_downloads(console, how.quiet)
    for line in tell_settings(context):
        console.note(line)
    with exit_on_sigterm(), StatusFile(how.status_file) as status:
        order = _Order(choice, results, restoration, network, how, console, status)
        order.check(inputs or [])
        with_stream = STANDARD_STREAM in (inputs or [])
        raise typer.Exit(order.stream() if with_stream else order.files(inputs or []))


@dataclass(frozen=True)
class _Order:
    """One command with all that was asked for."""

    choice: InputOptions
    results: ResultOptions
    restoration: RestorationOptions
    network: ModelOptions
    how: BatchOptions
    console: QuietConsole
    status: StatusFile

    def check(self, inputs: Sequence[str]) -> None:
        """Refuse what makes no sense before anything is looked at; raises `UsageError`."""
        self.results.check(inputs)
        self.restoration.check()
        self.how.check()
        if self.how.ray is not None:
            check_for_cluster(self.network.device, [*inputs, self.results.output or ""])
        if not inputs and self.choice.files_from is None:
            raise UsageError("no INPUT is given", remedy="name files or folders, or --files-from")
        if STANDARD_STREAM in inputs:
            refuse_with_stream(
                {
                    "other inputs": inputs[1:],
                    **self.choice.for_files,
                    **self.results.for_files,
                    **self.how.for_files,
                }
            )

    def files(self, inputs: Sequence[str]) -> int:
        """Restore pictures into files; returns the exit code."""
        from deblur_cli.pipeline.discovery.discover import discover

        choice, results = self.choice, self.results
        listed = () if choice.files_from is None else read_listing(choice.files_from)
        found = discover(inputs, results.folder, choice.filter(results.compare), listed)
        if self.how.dry_run:
            from deblur_cli.cli.run_preview import unloaded

            return self._restored(found, unloaded(self.network, self.how.ray is not None))
        with workforce(self.how.ray, self.network, self.console) as force:
            return self._restored(found, force)

    def _restored(self, found: Discovery, force: Workforce) -> int:
        from deblur_cli.pipeline.plan import plan
        from deblur_cli.pipeline.sequences import Selected

        choice, fleet = self.choice, force.fleet
        wanted = self.results.destination(_model_of(fleet), self.network.task)
        planned = plan(found.sources, wanted)
        page = self._page(fleet)
        batch = self._batch(force, page)
        mine = Selected(planned, choice.part.places(found.sources))
        jobs = batch.choose(mine, failed_only=choice.retry_failed, limit=choice.limit)
        teller = Teller(
            self.console,
            self.how.json,
            total=len(jobs) + len(found.missing),
            skipped=found.skipped,
            left_out=found.left_out + len(planned) - len(jobs),
            page=page,
        )
        teller.start(fleet)
        self.status.follow(teller, batch.in_hand)
        if self.how.dry_run:
            return _preview(batch, jobs, found.missing, teller)
        return _restore(batch, jobs, found.missing, teller, self.how.fail_fast)

    def stream(self) -> int:
        """Restore the picture from stdin to stdout; returns the exit code."""
        from deblur_cli.pipeline.plan import Job

        with spooled() as spool, workforce(None, self.network, self.console) as force:
            job = Job(spool.source, spool.result, spool.folder)
            teller = Teller(self.console, json=False, renamed=spool.renamed)
            teller.start(force.fleet)
            exit_code = _restore(self._batch(force), (job,), (), teller, fail_fast=False)
            spool.send()
        return exit_code

    def _page(self, fleet: Mapping[str, LoadedNetwork]) -> Report | None:
        if self.how.report is None:
            return None
        return report_on(self.how.report, fleet, self.restoration.treatment(self.results))

    def _batch(self, force: Workforce, page: Report | None = None) -> AnyBatch:
        conduct = self.results.conduct(_model_of(force.fleet), self.choice.max_pixels)
        if page is not None:
            conduct = watched_by(page, conduct, on_cluster=self.how.ray is not None)
        return force.batch(self.restoration.treatment(self.results), conduct)


def _model_of(fleet: Mapping[str, LoadedNetwork]) -> str:
    return str(next(iter(fleet.values())).settings["model"])


def _preview(
    batch: AnyBatch, jobs: Sequence[Job], missing: Sequence[Failed], teller: Teller
) -> int:
    for event in chain(missing, batch.preview(jobs)):
        teller.tell(event)
    return teller.tally.exit_code


def _restore(
    batch: AnyBatch, jobs: Sequence[Job], missing: Sequence[Failed], teller: Teller, fail_fast: bool
) -> int:
    ended_early: int | None
    with stop_on_signals() as stop, teller.console.progress(teller.total):
        try:
            for event in chain(missing, batch.run(jobs, stop.asked)):
                teller.tell(event)
                if fail_fast and isinstance(event, Failed):
                    stop.asked.set()
            ended_early = stop.exit_code
            if stop.asked.is_set() and ended_early is None and teller.remaining:
                ended_early = DeblurError.exit_code
        except KeyboardInterrupt:
            ended_early = INTERRUPTED
        except DeblurError as ending:
            teller.console.error(ending)
            ended_early = ending.exit_code
    return teller.finish(ended_early)
