"""Comparing the files on this machine with the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.manifest import Entry, Manifest
from deblur_cli.checkpoints.resolve import from_entry
from deblur_cli.errors import WeightsError


class State(StrEnum):
    """What was found for an entry."""

    INTACT = "intact"
    DAMAGED = "damaged"
    MISSING = "missing"
    NOT_FETCHED = "not fetched"

    @property
    def acceptable(self) -> bool:
        """Whether nothing is wrong: weights that were never fetched are no fault."""
        return self in (State.INTACT, State.NOT_FETCHED)


@dataclass(frozen=True)
class Check:
    """One entry and what was found for it."""

    entry: Entry
    state: State
    path: Path | None
    """The file; None if there is none."""


def verify_weights(manifest: Manifest) -> list[Check]:
    """Hash every bundled and cached file; opens no connection."""
    return [_check(manifest, entry) for entry in manifest.entries]


def _check(manifest: Manifest, entry: Entry) -> Check:
    try:
        path = from_entry(manifest, entry, offline=True).path
    except WeightsError:
        absent = State.MISSING if entry.file is not None else State.NOT_FETCHED
        return Check(entry, absent, None)
    intact = path.stat().st_size == entry.bytes and file_sha256(path) == entry.sha256
    return Check(entry, State.INTACT if intact else State.DAMAGED, path)
