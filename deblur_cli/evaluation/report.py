"""The table of an evaluation: what was measured, beside what papers report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deblur_cli.evaluation.evaluation import Outcome
from deblur_cli.evaluation.figures import COMPANIONS, FIGURES
from deblur_cli.evaluation.measures import Kit
from deblur_cli.evaluation.published import published_rows
from deblur_cli.evaluation.scores import Failure, mean_score
from deblur_cli.evaluation.subjects import Subjects
from deblur_cli.evaluation.versions import versions

MEASURED = "measured"


@dataclass(frozen=True)
class Row:
    """One method on the set, or on a part of it."""

    part: str
    """Empty for the whole set."""
    method: str
    source: str
    """`MEASURED`, or where the figures stand."""
    figures: Mapping[str, float]
    """Means over pictures."""
    pictures: int | None = None
    """How many were measured; None for a paper's row."""
    failed: int = 0
    gmacs: float | None = None
    """Of a paper's row, multiply-accumulates for 256x256 pixels in 10^9, if it gives them."""

    @property
    def measured(self) -> bool:
        """Whether the figures were measured here."""
        return self.source == MEASURED

    @property
    def origin(self) -> str:
        """The source; of what was measured also how many pictures, and how many could not be."""
        if self.pictures is None:
            return self.source
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.source} ({self.pictures} pictures{failed})"

    def cells(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The text of every figure, a dash where there is none; papers' as they print it."""
        values = (self.figures.get(name, math.nan) for name in columns)
        return tuple(
            FIGURES[name].text(value) if self.measured or math.isnan(value) else _as_printed(value)
            for name, value in zip(columns, values, strict=True)
        )


@dataclass(frozen=True)
class Report:
    """A table, and everything that its figures depend on."""

    dataset: str
    protocol: str
    """How the figures come about."""
    columns: tuple[str, ...]
    """Names in `FIGURES`."""
    rows: tuple[Row, ...]
    settings: Mapping[str, Mapping[str, Any]]
    """Of every candidate, by its name."""
    versions: Mapping[str, str]


def make_report(
    subjects: Subjects,
    outcomes: Sequence[Outcome],
    parts: Mapping[str, frozenset[str]],
    kit: Kit | None = None,
) -> Report:
    """The table of the whole set and of its parts.

    Args:
        subjects: the set.
        outcomes: of every candidate; those without any score have no row.
        parts: names of pictures by the name of the part.
        kit: what metrics with models of their own worked with.
    """
    protocol = subjects.protocol
    rows = [
        row
        for part, names in {"": None, **parts}.items()
        for row in (*_measured(part, names, outcomes), *_published(subjects.name, part))
    ]
    columns = _columns(rows)
    return Report(
        dataset=subjects.name,
        protocol="; ".join((protocol.text, *(kit or Kit()).models(protocol.measures))),
        columns=columns,
        rows=tuple(row for row in rows if row.figures.keys() & set(columns)),
        settings={outcome.candidate: outcome.settings for outcome in outcomes},
        versions=versions(),
    )


def _as_printed(value: float) -> str:
    """Two decimals, or as many more as there are."""
    return f"{value:.2f}" if round(value, 2) == value else f"{value:g}"


def _columns(rows: Sequence[Row]) -> tuple[str, ...]:
    """What was measured, each beside what papers give instead of it."""
    measured = {name: None for row in rows if row.measured for name in row.figures}
    printed = {name for row in rows if not row.measured for name in row.figures}
    return tuple(
        name
        for figure in measured
        for name in (figure, COMPANIONS.get(figure, ""))
        if name in measured or name in printed
    )


def _measured(part: str, names: frozenset[str] | None, outcomes: Sequence[Outcome]) -> list[Row]:
    rows = []
    for outcome in outcomes:
        results = [one for one in outcome.results if names is None or one.name in names]
        scores = [one for one in results if not isinstance(one, Failure)]
        if scores:
            figures = mean_score(scores).figures
            failed = len(results) - len(scores)
            row = Row(part, outcome.candidate, MEASURED, figures, len(scores), failed)
            rows.append(row)
    return rows


def _published(dataset: str, part: str) -> list[Row]:
    return [
        Row(part, row.method, row.source, row.figures, gmacs=row.gmacs)
        for row in published_rows()
        if (row.dataset, row.part) == (dataset, part)
    ]
