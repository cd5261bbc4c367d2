"""A table for people: drawn on a terminal, aligned columns elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import typer

from deblur_cli.cli.console import one_line


@dataclass(frozen=True)
class Table:
    """A title and rows of text for people, on stdout."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def show(self) -> None:
        """A drawn table on a terminal, aligned columns elsewhere."""
        rows = [tuple(one_line(cell) for cell in row) for row in self.rows]
        if sys.stdout.isatty():
            self._draw(rows)
        else:
            self._write(rows)

    def _draw(self, rows: list[tuple[str, ...]]) -> None:
        from rich.console import Console
        from rich.table import Table as Drawing
        from rich.text import Text

        drawing = Drawing(title=self.title, title_justify="left")
        for name in self.header:
            drawing.add_column(name, overflow="fold")
        for row in rows:
            drawing.add_row(*(Text(cell) for cell in row))
        Console(highlight=False).print(drawing)

    def _write(self, rows: list[tuple[str, ...]]) -> None:
        columns = zip(self.header, *rows, strict=True)
        widths = [max(map(len, column)) for column in columns]
        typer.echo(self.title)
        for row in (self.header, *rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            typer.echo(f"  {'  '.join(cells)}".rstrip())
        typer.echo()
