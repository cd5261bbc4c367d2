"""What decides a run besides its length: kept with its state, and compared when it goes on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deblur_cli.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """Equal settings give equal runs, if the data and the steps taken are equal too."""

    recipe: str
    """As TOML, with every setting spelt out and the command's overrides in place."""
    seed: int
    dtype: str
    workers: int
    init: str | None
    """Checksum of the weights it started from; None for random ones."""

    def refuse_difference(self, stored: Mapping[str, Any], folder: Path) -> None:
        """Raise `UsageError`, naming every setting that differs from the stored run's."""
        here, there = (dict(_flat(_readable(table))) for table in (asdict(self), stored))
        differing = [key for key in here | there if here.get(key) != there.get(key)]
        if differing:
            named = ", ".join(f"{k} {there.get(k)} instead of {here.get(k)}" for k in differing)
            raise UsageError(
                f"holds a run with {named}",
                path=folder,
                remedy="go on with its settings, or name another folder with --output",
            )


def _readable(table: Mapping[str, Any]) -> dict[str, Any]:
    init = table["init"]
    return {
        **table,
        "recipe": tomllib.loads(table["recipe"]),
        "init": f"weights {init[:12]}…" if init else "random weights",
    }


def _flat(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
