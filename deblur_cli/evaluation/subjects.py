"""The pictures that are measured: a published set by its name, or any folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from deblur_cli.checkpoints.manifest import load_manifest
from deblur_cli.data.datasets import PairedDataset, open_dataset
from deblur_cli.data.layouts import Flat
from deblur_cli.data.pairs import Pair
from deblur_cli.data.photos import list_photos
from deblur_cli.data.published import PUBLISHED, RECOGNISED
from deblur_cli.errors import UsageError
from deblur_cli.evaluation.measures import OF_SETS, WITHOUT_TRUTH
from deblur_cli.evaluation.protocols import PROTOCOLS, SHARP, Protocol, pairs_protocol

SPLIT = "test"
_COLOUR_FIT_TASK = "defocus"


@dataclass(frozen=True)
class Subjects:
    """A data set as it is measured."""

    name: str
    task: str
    """What blurred the pictures."""
    protocol: Protocol
    pairs: tuple[Pair, ...]
    """Of sharp photos, each is its own truth."""
    published: PairedDataset | None = None
    """The set as it was published, if it was."""

    @property
    def by_order(self) -> bool:
        """Whether blurred photo and truth belong together by their places, not by their names."""
        return self.task == "defocus" and self.published is not None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the set but no reason to stop."""
        return () if self.published is None else self.published.warnings

    def measuring(self, names: str) -> Subjects:
        """The same with other measures; as `Protocol.measuring`.

        Raises:
            UsageError: a name is not known, the set has no truth to measure it against, or it is
                too small to be compared as a set.
        """
        protocol = self.protocol.measuring(names)
        against_truth = [name for name in protocol.measures if name not in WITHOUT_TRUTH]
        if against_truth and any(pair.sharp is None for pair in self.pairs):
            raise UsageError(
                f"{self.name} has no truth to measure {', '.join(against_truth)} against",
                remedy=f"--metrics takes {' or '.join(sorted(WITHOUT_TRUTH))} here",
            )
        if OF_SETS in protocol.measures and len(self.pairs) < 2:
            raise UsageError(f"{OF_SETS} compares sets of two pictures or more, and this has one")
        return replace(self, protocol=protocol)

    def parts(self, index_files: list[Path]) -> dict[str, frozenset[str]]:
        """The names of the pictures that each file of numbers lists, by what the part is called.

        Raises:
            UsageError: as `PairedDataset.part`; or the set is not a published one.
        """
        if index_files and self.published is None:
            raise UsageError(
                "only published sets have parts", remedy="name one by --dataset, such as dpdd"
            )
        return {
            file.stem: frozenset(pair.name for pair in self.published.part(file))
            for file in index_files
            if self.published is not None
        }


def open_subjects(dataset: str, data: Path | None = None, task: str = "auto") -> Subjects:
    """Find the pictures of a set and the protocol that belongs to it; nothing is read.

    Args:
        dataset: the name of a published set, or a folder: of pairs, of one published set, or of
            sharp photos.
        data: the folder of published sets, or of this one; the current one by default.
        task: `motion`, `defocus`, or `auto`: what is known of the set, else `motion`.

    Raises:
        UsageError: there is no such folder, set or task, or the set is not complete.
    """
    if task != "auto":
        load_manifest().defaults(task)
    if dataset in PUBLISHED:
        return _published(dataset, data or Path(), task)
    if data is not None:
        raise UsageError(
            f"--data is for published sets, and none is named '{dataset}'",
            remedy=f"leave it out, or name one of {', '.join(PUBLISHED)}",
        )
    return open_folder(find_dataset(dataset, PUBLISHED), task)


def open_folder(folder: Path, task: str = "auto") -> Subjects:
    """As `open_subjects`, for a folder that is there."""
    name = Path(*folder.resolve().parts[-2:]).as_posix()
    if Flat().present(folder, SPLIT):
        known = "motion" if task == "auto" else task
        protocol = pairs_protocol(colour_fit=known == _COLOUR_FIT_TASK)
        return Subjects(name, known, protocol, tuple(Flat().find(folder, SPLIT)))
    recognised = [name for name in RECOGNISED if PUBLISHED[name].locate(folder, SPLIT)]
    if len(recognised) == 1:
        return _published(recognised[0], folder, task)
    if recognised:
        raise UsageError(
            f"holds several data sets: {', '.join(recognised)}",
            path=folder,
            remedy=f"measure one by --dataset {recognised[0]} --data {folder}",
        )
    photos = (
        Pair(path.relative_to(folder).with_suffix("").as_posix(), path, path)
        for path in list_photos(folder)
    )
    return Subjects(name, "motion" if task == "auto" else task, SHARP, tuple(photos))


def find_dataset(name: str, sets: Iterable[str] = ()) -> Path:
    """The folder of a data set; raises `UsageError`, which names `sets`, too, if there is none."""
    folder = Path(name)
    if not folder.is_dir():
        named = "".join(f", {one}" for one in sets)
        raise UsageError(
            f"'{name}' is no folder, and no data set is known by that name",
            remedy=f"name a folder with blur/ and sharp/ in it, one of sharp photos{named}",
        )
    return folder


def _published(name: str, folder: Path, task: str) -> Subjects:
    found = open_dataset(name, folder, SPLIT)
    known = found.task or "motion"
    return Subjects(
        name, known if task == "auto" else task, PROTOCOLS[name], found.pairs, published=found
    )
