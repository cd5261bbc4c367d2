"""What `deblur eval` shows: a line or a JSON line per picture, or progress; then the table."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from deblur_cli.cli import report
from deblur_cli.cli.console import PlainConsole, error_console, report_error
from deblur_cli.cli.table import Table

if TYPE_CHECKING:
    from deblur_cli.evaluation.evaluation import Outcome, Result
    from deblur_cli.evaluation.ranks import Ranks
    from deblur_cli.evaluation.report import Report
    from deblur_cli.evaluation.scores import Failure, Score
    from deblur_cli.evaluation.subjects import Subjects

_COLUMN = len("psnr_to_input") + 2
_PLAIN_LINES = 20


class Output(ABC):
    """How an evaluation is shown; of several processes only the first one shows it."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._candidate = ""
        self._advance: Callable[[], object] = lambda: None

    def note(self, text: str) -> None:
        """Something about the set or a network."""
        if self._ranks.leads:
            PlainConsole().note(text)

    @contextmanager
    def progress(self, candidate: str, total: int) -> Iterator[None]:
        """Within the block `total` pictures of a candidate are `measured`."""
        self._candidate = candidate
        yield

    def measured(self, result: Result) -> None:
        """A picture of this process's share was measured, or failed."""
        self._advance()
        if self._ranks.size == 1:
            self._show(result)

    def ended(self, outcome: Outcome) -> None:
        """A candidate was measured, by all processes."""
        if not self._ranks.leads:
            return
        if self._ranks.size > 1:
            for result in outcome.results:
                self._show(result)
        if outcome.scores:
            from deblur_cli.evaluation.scores import mean_score

            self._scored(mean_score(outcome.scores))

    def finish(self, made: Report) -> None:
        """The table is made; what was shown of the pictures is enough, unless said otherwise."""
        return

    def _show(self, result: Result) -> None:
        from deblur_cli.evaluation.scores import Score

        if isinstance(result, Score):
            self._scored(result)
        else:
            self._failed(result)

    def _failed(self, failure: Failure) -> None:
        report_error(failure.error, f"{failure.name}: {failure.error}")

    @abstractmethod
    def _scored(self, score: Score) -> None:
        """Show the figures of a picture, or of the mean."""


class JsonOutput(Output):
    """Every picture and every mean as a JSON line on stdout."""

    def _scored(self, score: Score) -> None:
        figures = {name: _finite(value) for name, value in score.figures.items()}
        report.write_line("score", {"name": score.name, "model": self._candidate, **figures})

    def _failed(self, failure: Failure) -> None:
        super()._failed(failure)
        fields = {"model": self._candidate, "code": failure.error.code}
        message = str(failure.error)
        report.write_line("failed", {"source": failure.name, **fields, "message": message})


class RowsOutput(Output):
    """A row for every picture, as it is measured, and for the mean."""

    @contextmanager
    def progress(self, candidate: str, total: int) -> Iterator[None]:
        """A header comes first."""
        self._candidate, self._header = candidate, True
        yield

    def finish(self, made: Report) -> None:
        """Several candidates are put side by side."""
        if len(made.rows) > 1:
            typer.echo()
            show_table(made)

    def _scored(self, score: Score) -> None:
        if self._header:
            typer.echo(_row("image", score.figures))
        self._header = False
        typer.echo(_row(score.name, [_rounded(*figure) for figure in score.figures.items()]))


class TableOutput(Output):
    """Progress on stderr; at the end the table, beside what papers report, on stdout."""

    @contextmanager
    def progress(self, candidate: str, total: int) -> Iterator[None]:
        """A bar on a terminal, some twenty lines elsewhere."""
        self._candidate = candidate
        if not self._ranks.leads:
            yield
        elif sys.stderr.isatty():
            with self._bar(total):
                yield
        else:
            self._advance = _lines(candidate, total)
            yield

    @contextmanager
    def _bar(self, total: int) -> Iterator[None]:
        from rich.progress import Progress

        with Progress(console=error_console()) as bar:
            task = bar.add_task(self._candidate, total=total)
            self._advance = lambda: bar.advance(task)
            yield

    def _scored(self, score: Score) -> None:
        """The table has the mean; pictures are in the records."""

    def finish(self, made: Report) -> None:
        """Show the table."""
        show_table(made)


def output_for(subjects: Subjects, json: bool, ranks: Ranks) -> Output:
    """JSON lines if asked for, a table for published sets, rows for folders."""
    if json:
        return JsonOutput(ranks)
    return RowsOutput(ranks) if subjects.published is None else TableOutput(ranks)


def show_table(made: Report) -> None:
    """The table on stdout."""
    from deblur_cli.evaluation.figures import FIGURES

    header = ("part", "method", *(FIGURES[name].heading for name in made.columns), "source")
    rows = [(row.part, row.method, *row.cells(made.columns), row.origin) for row in made.rows]
    Table(f"{made.dataset}: {made.protocol}", header, rows).show()


def _lines(candidate: str, total: int) -> Callable[[], None]:
    """Tells of every so many pictures."""
    every = max(1, total // _PLAIN_LINES)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done % every == 0 or done == total:
            PlainConsole().note(f"{candidate}: {done}/{total}")

    return advance


def _finite(value: float) -> float | None:
    """JSON has no infinity, which is the PSNR of equal pictures."""
    return value if math.isfinite(value) else None


def _row(name: str, cells: Iterable[str]) -> str:
    return f"{name:<24}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells)


def _rounded(name: str, value: float) -> str:
    if name.endswith("_gain"):
        return f"{value:+.3f}"
    from deblur_cli.evaluation.figures import FIGURES

    return FIGURES[name].text(value)
