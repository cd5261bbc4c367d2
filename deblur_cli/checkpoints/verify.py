"""Comparing the files on this machine with the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.manifest import Entry, Manifest
from deblur_cli.checkpoints.resolve import ResolvedWeights, from_entry
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


class Place(StrEnum):
    """Where the weights of an entry are."""

    BUNDLED = "bundled"
    CACHED = "cached"
    NOT_FETCHED = "not fetched"


@dataclass(frozen=True)
class Check:
    """One entry and what was found for it."""

    entry: Entry
    state: State
    path: Path | None
    """The file; None if there is none."""


def find_place(manifest: Manifest, entry: Entry) -> Place:
    """Where they are, without a look at their content; opens no connection."""
    if entry.file is not None:
        return Place.BUNDLED
    return Place.NOT_FETCHED if _find(manifest, entry) is None else Place.CACHED


def verify_weights(manifest: Manifest) -> list[Check]:
    """Hash every bundled and cached file; opens no connection."""
    return [_check(manifest, entry) for entry in manifest.entries]


def _check(manifest: Manifest, entry: Entry) -> Check:
    found = _find(manifest, entry)
    if found is None:
        absent = State.MISSING if entry.file is not None else State.NOT_FETCHED
        return Check(entry, absent, None)
    intact = file_sha256(found.path) == found.sha256
    return Check(entry, State.INTACT if intact else State.DAMAGED, found.path)


def _find(manifest: Manifest, entry: Entry) -> ResolvedWeights | None:
    try:
        return from_entry(manifest, entry, offline=True)
    except WeightsError:
        return None
