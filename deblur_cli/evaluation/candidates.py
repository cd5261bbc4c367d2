"""What makes the pictures that are measured: a network, an earlier program, or nothing at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from deblur_cli.data.pairs import Pair, first_few
from deblur_cli.data.photos import list_photos
from deblur_cli.errors import UsageError
from deblur_cli.imaging.photo import Image

if TYPE_CHECKING:
    from deblur_cli.evaluation.subjects import Subjects
    from deblur_cli.inference.engine import Deblurrer


class Candidate(Protocol):
    """One row of the table."""

    @property
    def name(self) -> str:
        """What the row is called."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that decides its pictures."""

    @property
    def method(self) -> str:
        """How it is run here, for people; empty if there is nothing to say."""

    def source(self, pair: Pair) -> Path:
        """The file from which it makes the picture that is measured."""

    def stream(self, images: Iterable[Image]) -> Iterator[Image]:
        """What it makes of the content of such files, in the same order."""


class Network:
    """A network, run as `deblur run` does."""

    def __init__(self, deblurrer: Deblurrer) -> None:
        self._deblurrer = deblurrer

    @property
    def name(self) -> str:
        """The id of its weights."""
        return str(self._deblurrer.settings["model"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """As `Deblurrer.settings`, with the kind of device and the number format it computes in.

        `--dtype auto` goes by how fast a CPU is at the moment, and figures by what it became.
        """
        return {**self._deblurrer.settings, **self._deblurrer.computing}

    @property
    def method(self) -> str:
        """Device, precision and tiles."""
        return self._deblurrer.summary

    def source(self, pair: Pair) -> Path:
        """The blurred photo."""
        return pair.blurred

    def stream(self, images: Iterable[Image]) -> Iterator[Image]:
        """The restored photos.

        Raises:
            RestoreError: memory does not suffice for the smallest tile.
        """
        return (restoration.image for restoration in self._deblurrer.stream(images))


def load_pooling(
    pooling: int,
    *,
    task: str,
    model: str | None,
    weights: str | None,
    offline: bool,
    **options: Any,
) -> Deblurrer:
    """As `Deblurrer.from_pretrained`, with local pooling other than what the weights advise.

    Args:
        pooling: side in pixels of the patches that pools reach as far as in training; 0 is global.
        task, model, weights, offline: as `resolve_weights`.
        options: as `Deblurrer`.

    Raises:
        DeblurError: as `Deblurrer.from_pretrained`.
    """
    from deblur_cli.checkpoints.load import load_weights
    from deblur_cli.checkpoints.resolve import resolve_weights
    from deblur_cli.inference.engine import Deblurrer

    resolved = resolve_weights(task, model=model, weights=weights, offline=offline)
    return Deblurrer(
        load_weights(resolved),
        name=resolved.id,
        sha256=resolved.sha256,
        source=resolved.source,
        advice={**resolved.advice, "pooling": pooling},
        warnings=resolved.warnings,
        **options,
    )


class Unrestored:
    """The blurred photos themselves: what a network must improve on."""

    name = "blurred"
    method = ""
    settings: Mapping[str, Any] = {"model": "none: the blurred photos themselves"}

    def source(self, pair: Pair) -> Path:
        """The blurred photo."""
        return pair.blurred

    def stream(self, images: Iterable[Image]) -> Iterator[Image]:
        """The same."""
        return iter(images)


class Results:
    """A folder of results that some program made of the set's blurred photos.

    A result is found by the picture's name below the folder, also with `-` or `_` for the slashes
    in it; where the set pairs by order (DPDD), the n-th belongs to the n-th.

    Args:
        folder: with photos, in subfolders or not.
        subjects: the set.

    Raises:
        UsageError: there are no photos, or not one for each picture of the set.
    """

    method = ""

    def __init__(self, folder: Path, subjects: Subjects) -> None:
        pairs = subjects.pairs
        self.name = folder.resolve().name
        self.settings: Mapping[str, Any] = {"results": str(folder.resolve())}
        self._files = _by_name(folder, pairs)
        missing = [pair.name for pair in pairs if pair.name not in self._files]
        if not missing:
            return
        photos = list_photos(folder)
        if not subjects.by_order or len(photos) != len(pairs):
            raise UsageError(
                f"{len(missing)} of {len(pairs)} results are missing: {first_few(missing)}",
                path=folder,
                remedy="call the results as the blurred photos are called, in the same folders",
            )
        self._files = {pair.name: path for pair, path in zip(pairs, photos, strict=True)}

    def source(self, pair: Pair) -> Path:
        """The result."""
        return self._files[pair.name]

    def stream(self, images: Iterable[Image]) -> Iterator[Image]:
        """The same."""
        return iter(images)


def _by_name(folder: Path, pairs: Sequence[Pair]) -> dict[str, Path]:
    photos = {
        path.relative_to(folder).with_suffix("").as_posix(): path for path in list_photos(folder)
    }
    found = {}
    for pair in pairs:
        spellings = (pair.name, pair.name.replace("/", "-"), pair.name.replace("/", "_"))
        for spelling in spellings:
            if spelling in photos:
                found[pair.name] = photos[spelling]
                break
    return found
