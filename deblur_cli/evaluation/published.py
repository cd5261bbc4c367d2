"""What papers report, as rows for the tables: kept in `published.toml`, with the source of each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class PublishedRow:
    """Figures of one method on one set."""

    dataset: str
    part: str
    """``indoor`` or ``outdoor`` for DPDD; empty for the whole set."""
    method: str
    figures: Mapping[str, float]
    """By the names of `figures.FIGURES`."""
    source: str
    """Where they stand."""
    gmacs: float | None = None
    """Multiply-accumulates for 256x256 pixels as published, in 10^9."""


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """Every row, in the order of the file."""
    text = files("deblur_cli.evaluation").joinpath("published.toml").read_text("utf-8")
    return tuple(
        PublishedRow(
            dataset=row["dataset"],
            part=row.get("part", ""),
            method=row["method"],
            figures=row["figures"],
            source=row["source"],
            gmacs=row.get("gmacs"),
        )
        for row in tomllib.loads(text)["row"]
    )
