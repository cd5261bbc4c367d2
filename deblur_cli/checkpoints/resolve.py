"""From what was asked for (task, model id, file or Hub reference) to one file of weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from deblur_cli.checkpoints.cache import find_converted
from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.hub import PREFIX, fetch, parse_hub
from deblur_cli.checkpoints.manifest import Entry, Manifest, load_manifest
from deblur_cli.checkpoints.split import whole_file
from deblur_cli.errors import UsageError, WeightsError


@dataclass(frozen=True)
class ResolvedWeights:
    """A file of weights on this machine, not yet opened."""

    path: Path
    entry: Entry | None
    """Its place in the manifest; None for weights from elsewhere."""
    id: str
    sha256: str
    """What the file must have: the manifest's, or the one found when it was chosen."""
    source: str
    """`bundled`, `cache` (converted when it was fetched), `file`, or the Hub reference."""
    warnings: tuple[str, ...] = ()
    """What the user should know about the choice."""


def resolve_weights(
    task: str, model: str | None = None, weights: str | None = None, offline: bool = False
) -> ResolvedWeights:
    """Find the weights for a task, a model id, or an explicit place.

    Args:
        task: the manifest's defaults for it are tried in order, if nothing else is given.
        model: id of a manifest entry.
        weights: a path, also of a list of pieces, or `hub:owner/repo/file@revision`.
        offline: open no connection.

    Raises:
        UsageError: unknown task or id, or both `model` and `weights`.
        WeightsError: nothing of what was asked for can be had.
    """
    if model is not None and weights is not None:
        raise UsageError(
            "a model id and a file of weights exclude each other",
            remedy="give either --model or --weights",
        )
    if weights is not None:
        return _from_place(weights, offline)
    manifest = load_manifest()
    if model is not None:
        return from_entry(manifest, manifest.entry(model), offline)
    return _first_available(manifest, task, offline)


def from_entry(manifest: Manifest, entry: Entry, offline: bool) -> ResolvedWeights:
    """The file of a manifest entry: bundled, converted earlier, or from the Hub.

    Raises:
        WeightsError: it cannot be had.
    """
    if entry.file is not None:
        path = manifest.folder / entry.file
        if not path.is_file():
            raise WeightsError(
                f"the bundled weights '{entry.id}' are missing",
                path=path,
                remedy="reinstall deblur-cli",
            )
        return _resolved(entry, path, "bundled")
    if entry.hub is not None and not entry.converted:
        return _resolved(entry, fetch(entry.hub, offline), str(entry.hub))
    converted = find_converted(entry)
    if converted is None:
        raise WeightsError(
            f"the weights '{entry.id}' are not on this machine",
            remedy=f"deblur weights fetch {entry.id}",
        )
    path, sha256 = converted
    return ResolvedWeights(path, entry, entry.id, sha256, "cache")


def _resolved(entry: Entry, path: Path, source: str) -> ResolvedWeights:
    return ResolvedWeights(path, entry, entry.id, entry.sha256 or file_sha256(path), source)


def _first_available(manifest: Manifest, task: str, offline: bool) -> ResolvedWeights:
    problems: list[str] = []
    for entry in manifest.defaults(task):
        try:
            found = from_entry(manifest, entry, offline)
        except WeightsError as error:
            problems.append(f"{entry.id} cannot be used: {error}")
            continue
        fallen_back = [*problems, f"{entry.id} is used instead"] if problems else []
        return replace(found, warnings=tuple(fallen_back))
    raise WeightsError(
        f"no weights for the task '{task}': {'; '.join(problems)}", remedy="reinstall deblur-cli"
    )


def _from_place(weights: str, offline: bool) -> ResolvedWeights:
    if weights.startswith(PREFIX):
        file = parse_hub(weights)
        path, source = fetch(file, offline), weights
    else:
        path, source = whole_file(Path(weights).expanduser()), "file"
    return ResolvedWeights(path, None, path.stem, file_sha256(path), source)
