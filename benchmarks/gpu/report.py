"""The events of a run as progress lines, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from benchmarks.gpu.events import Check, Event, Goal, Row, Skipped, Value

DRY_RUN = "DRY RUN on the CPU at toy sizes: shows that the program works, no figure means anything."


@dataclass
class Report:
    """Everything that was found out, in the order it came."""

    title: str
    dry_run: bool
    checks: list[Check] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    tables: dict[str, list[Mapping[str, Value]]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Take one event in."""
        match event:
            case Check():
                self.checks.append(event)
            case Goal():
                self.goals.append(event)
            case Row():
                self.tables.setdefault(event.table, []).append(event.cells)
            case Skipped():
                self.skipped.append(event)

    @property
    def failed(self) -> list[Check]:
        """Checks that did not pass."""
        return [check for check in self.checks if not check.passed]

    def as_json(self) -> str:
        """All events, with a goal's verdict beside it."""
        goals = [asdict(goal) | {"met": goal.met} for goal in self.goals]
        return json.dumps(asdict(self) | {"goals": goals}, indent=1)

    def as_markdown(self) -> str:
        """Headline, goals, what failed, what was skipped, then the tables."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"# {self.title}"
        if self.dry_run:
            yield from ("", f"**{DRY_RUN}**")
        passed = len(self.checks) - len(self.failed)
        yield from ("", f"{passed} of {len(self.checks)} checks passed.")
        for check in self.failed:
            yield f"- FAILED {check.group}, {check.name}: {check.detail}"
        if self.goals:
            yield from ("", "## Goals", "")
            yield from _table([_goal_cells(goal) for goal in self.goals])
        if self.skipped:
            yield from ("", "## Not looked at", "")
            yield from (f"- {skipped.what}: {skipped.why}" for skipped in self.skipped)
        for name, rows in self.tables.items():
            yield from ("", f"## {name}", "")
            yield from _table(rows)
        yield from ("", "## Checks", "")
        yield from _table(self._check_counts())

    def _check_counts(self) -> list[Mapping[str, Value]]:
        total = Counter(check.group for check in self.checks)
        passed = Counter(check.group for check in self.checks if check.passed)
        return [
            {"group": group, "passed": passed[group], "of": count} for group, count in total.items()
        ]


def progress_line(event: Event) -> str:
    """One line for the terminal."""
    match event:
        case Check():
            verdict = "pass" if event.passed else "FAIL"
            return f"{verdict}  {event.group}, {event.name}: {event.detail}"
        case Goal():
            return f"GOAL  {event.what}: {event.found:.4g} {event.unit} ({event.verdict()})"
        case Row():
            cells = (f"{name} {_text(value)}" for name, value in event.cells.items() if value)
            return "      " + "  ".join(cells)
        case Skipped():
            return f"SKIP  {event.what}: {event.why}"


def _goal_cells(goal: Goal) -> Mapping[str, Value]:
    return {"goal": goal.what, "found": f"{goal.found:.4g} {goal.unit}", "bar": goal.verdict()}


def _table(rows: list[Mapping[str, Value]]) -> Iterator[str]:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(_text(row.get(name)) for name in columns) + " |"


def _text(value: Value) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
