"""From what was asked for (task, model id, file or Hub reference) to one file of weights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from deblur_cli.checkpoints.advice import Advice
from deblur_cli.checkpoints.cache import find_converted, first_use
from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.hub import PREFIX, fetch, parse_hub
from deblur_cli.checkpoints.manifest import Entry, Manifest, load_manifest
from deblur_cli.checkpoints.metadata import read_advice
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
    """`bundled`, `cache` (converted when it was fetched), `file`, or the reference to the Hub."""
    warnings: tuple[str, ...] = ()
    """What the user should know about the choice."""
    advice: Advice = field(default_factory=dict)
    """How they are best run, as the manifest or the file says."""

    def require_intact(self) -> None:
        """Raise `WeightsError` if the file is not the one it should be, or cannot be read."""
        found = file_sha256(self.path)
        if found != self.sha256:
            raise WeightsError(
                f"the checksum is {found[:12]}… instead of {self.sha256[:12]}…",
                path=self.path,
                remedy=self._remedy,
            )

    @property
    def _remedy(self) -> str:
        """What helps if the file is not the one it should be."""
        if self.entry is None:
            return "give it again: it was changed meanwhile"
        if self.entry.file is not None:
            return "reinstall deblur-cli"
        return (
            f"'deblur weights fetch {self.id}' replaces it; if that brings the same, other weights "
            f"are published by now: choose another --model"
        )


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
    manifest = load_manifest()
    if weights is not None:
        found = _from_place(manifest, weights, offline)
    elif model is not None:
        found = from_entry(manifest, manifest.entry(model), offline)
    else:
        found = _first_available(manifest, task, offline)
    return _with_restriction(found)


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
        return from_hub(entry, offline)
    converted = find_converted(entry)
    if converted is None:
        raise WeightsError(
            f"the weights '{entry.id}' are not on this machine",
            remedy=f"deblur weights fetch {entry.id}",
        )
    path, sha256 = converted
    return _resolved(entry, path, "cache", sha256)


def from_hub(entry: Entry, offline: bool, anew: bool = False) -> ResolvedWeights:
    """The file of an entry that is on the Hub, or if it cannot be had there, from its mirror.

    Args:
        entry: with a place on the Hub.
        offline, anew: as `deblur_cli.checkpoints.hub.fetch`.

    Raises:
        WeightsError: it cannot be had.
    """
    assert entry.hub is not None
    try:
        return _resolved(entry, fetch(entry.hub, offline, anew), str(entry.hub))
    except WeightsError as error:
        if entry.mirror is None:
            raise
        try:
            found = _resolved(entry, fetch(entry.mirror, offline, anew), str(entry.mirror))
        except WeightsError:
            raise error from None
        return replace(found, warnings=(f"{error}; {entry.mirror} is taken instead",))


def _resolved(entry: Entry, path: Path, source: str, sha256: str = "") -> ResolvedWeights:
    sha256 = sha256 or entry.sha256 or file_sha256(path)
    return ResolvedWeights(path, entry, entry.id, sha256, source, advice=entry.inference)


def _first_available(manifest: Manifest, task: str, offline: bool) -> ResolvedWeights:
    problems: list[str] = []
    for entry in manifest.defaults(task):
        try:
            found = from_entry(manifest, entry, offline)
        except WeightsError as error:
            problems.append(f"{entry.id} cannot be used: {error}")
            continue
        return replace(found, warnings=(*_fallen_back(problems, entry), *found.warnings))
    raise WeightsError(
        f"no weights for the task '{task}': {'; '.join(problems)}", remedy="reinstall deblur-cli"
    )


def _fallen_back(problems: list[str], entry: Entry) -> tuple[str, ...]:
    if not problems:
        return ()
    pin = f"--model {entry.id} takes them always, whatever else can be had"
    return (*problems, f"{entry.id} is used instead ({pin})")


def _from_place(manifest: Manifest, weights: str, offline: bool) -> ResolvedWeights:
    if weights.startswith(PREFIX):
        path, source = fetch(parse_hub(weights), offline), weights
    else:
        path, source = whole_file(Path(weights).expanduser()), "file"
    sha256 = file_sha256(path)
    known = manifest.with_checksum(sha256)
    if known is not None:
        return _resolved(known, path, source)
    return ResolvedWeights(path, None, path.stem, sha256, source, advice=read_advice(path))


def _with_restriction(found: ResolvedWeights) -> ResolvedWeights:
    """Tell what the licence forbids, when they are used for the first time."""
    entry = found.entry
    if entry is None or not entry.restriction or not first_use(entry.id):
        return found
    told = f"licence of {entry.id}: {entry.licence}; {entry.restriction}"
    return replace(found, warnings=(*found.warnings, told))
