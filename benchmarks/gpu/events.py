"""What a section finds out: checks, rows of tables, goals, and what could not be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Value = str | int | float | None
"""A cell of a table; None where there is nothing to say."""


@dataclass(frozen=True)
class Check:
    """Something that is right or wrong."""

    group: str
    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Goal:
    """A figure beside the one it should reach."""

    what: str
    found: float
    bar: float
    unit: str
    at_most: bool = True

    @property
    def met(self) -> bool:
        """Whether the figure is on the right side of the bar."""
        return self.found <= self.bar if self.at_most else self.found >= self.bar

    def verdict(self) -> str:
        """`<= 20 ms: met`."""
        relation = "<=" if self.at_most else ">="
        return f"{relation} {self.bar:g} {self.unit}: {'met' if self.met else 'MISSED'}"


@dataclass(frozen=True)
class Row:
    """One line of the table called `table`, by column."""

    table: str
    cells: Mapping[str, Value]


@dataclass(frozen=True)
class Skipped:
    """Something that should have been looked at and was not."""

    what: str
    why: str


Event = Check | Goal | Row | Skipped
