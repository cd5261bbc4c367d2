"""The table as files, each with protocol, versions and settings inside."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from deblur_cli.errors import ImageWriteError
from deblur_cli.evaluation.figures import FIGURES
from deblur_cli.evaluation.report import Report
from deblur_cli.imaging.atomic import atomic_path

STEM = "table"


def write_documents(report: Report, folder: Path) -> None:
    """Write `table.csv`, `table.json`, `table.md` and `table.tex`, all replaced if they are there.

    Raises:
        ImageWriteError: the folder is not writable.
    """
    for suffix, write in _WRITERS.items():
        path = folder / f"{STEM}{suffix}"
        try:
            with atomic_path(path) as temporary:
                temporary.write_text(write(report), "utf-8")
        except OSError as error:
            raise ImageWriteError(
                f"the table cannot be written: {error.strerror}", path=path, remedy="--output"
            ) from error


def as_csv(report: Report) -> str:
    """A line per row; figures are not rounded, and settings and versions are JSON in a cell."""
    text = io.StringIO()
    head = ("dataset", "part", "method", "source", "pictures", "failed", *report.columns)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*head, "protocol", "settings", "versions"))
    for row in report.rows:
        settings = report.settings.get(row.method) if row.measured else None
        writer.writerow(
            (
                report.dataset,
                row.part,
                row.method,
                row.source,
                row.pictures,
                row.failed if row.measured else None,
                *(row.figures.get(name) for name in report.columns),
                report.protocol if row.measured else None,
                settings and json.dumps(settings, default=str),
                json.dumps(report.versions) if row.measured else None,
            )
        )
    return text.getvalue()


def as_json(report: Report) -> str:
    """One object; infinite figures, which JSON does not have, are null."""
    rows = [
        {
            "part": row.part,
            "method": row.method,
            "source": row.source,
            "pictures": row.pictures,
            "failed": row.failed if row.measured else None,
            "figures": {k: v if math.isfinite(v) else None for k, v in row.figures.items()},
        }
        for row in report.rows
    ]
    content = {
        "dataset": report.dataset,
        "protocol": report.protocol,
        "versions": report.versions,
        "settings": report.settings,
        "rows": rows,
    }
    return json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"


def as_markdown(report: Report) -> str:
    """A table, and below it what its figures depend on."""
    heads = ["part", "method", *(FIGURES[name].heading for name in report.columns), "source"]
    align = ["---", "---", *("---:" for _ in report.columns), "---"]
    lines = [f"# {report.dataset}", "", _line(heads), _line(align)]
    lines += [
        _line([row.part, row.method, *row.cells(report.columns), row.origin]) for row in report.rows
    ]
    lines += ["", f"Protocol: {report.protocol}.", "", *(f"* {text}" for text in _facts(report))]
    return "\n".join(lines) + "\n"


def as_latex(report: Report) -> str:
    """A `tabular` for the package `booktabs`, and as comments what its figures depend on."""
    heads = ["Part", "Method", *(_latex(FIGURES[name].heading) for name in report.columns)]
    lines = [
        f"% {report.dataset}: {report.protocol}",
        *(f"% {text}" for text in _facts(report)),
        f"\\begin{{tabular}}{{ll{'r' * len(report.columns)}l}}",
        "\\toprule",
        " & ".join([*heads, "Source"]) + " \\\\",
        "\\midrule",
    ]
    for row in report.rows:
        cells = [row.part, row.method, *row.cells(report.columns), row.origin]
        lines.append(" & ".join(_latex(cell) for cell in cells) + " \\\\")
    lines += ["\\bottomrule", "\\end{tabular}"]
    return "\n".join(lines) + "\n"


_WRITERS: Mapping[str, Callable[[Report], str]] = {
    ".csv": as_csv,
    ".json": as_json,
    ".md": as_markdown,
    ".tex": as_latex,
}

_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
    }
)


def _latex(text: str) -> str:
    return text.translate(_LATEX)


def _line(cells: list[str]) -> str:
    escaped = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _facts(report: Report) -> list[str]:
    """Versions and settings, a line each."""
    listed = ", ".join(f"{package} {version}" for package, version in report.versions.items())
    settings = (
        f"{name}: {json.dumps(settings, default=str)}" for name, settings in report.settings.items()
    )
    return [listed, *settings]
