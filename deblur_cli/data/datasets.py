"""The field's data sets by name, and any folder of pairs by its path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deblur_cli.data.layouts import Flat
from deblur_cli.data.pairs import Pair, first_few
from deblur_cli.data.published import PUBLISHED, RECOGNISED
from deblur_cli.errors import UsageError


@dataclass(frozen=True)
class PairedDataset:
    """One split of a data set: where its photos lie and what belongs together; nothing is read."""

    name: str
    """As published, or the folder's name."""
    split: str
    pairs: tuple[Pair, ...]
    task: str | None = None
    """``motion`` or ``defocus``; None if the folder does not tell."""
    bits: int | None = None
    """Of each sample in the files as published; None if the folder does not tell."""
    expected: int | None = None
    """How many pairs were published, if known."""
    has_truth: bool = True

    def __len__(self) -> int:
        """The number of pairs, or of photos if there is no truth."""
        return len(self.pairs)

    def __iter__(self) -> Iterator[Pair]:
        """The pairs in the set's order."""
        return iter(self.pairs)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the set but no reason to stop."""
        if self.expected is None or self.expected == len(self):
            return ()
        return (
            f"{self.name} {self.split} has {len(self):,} pairs here, "
            f"{self.expected:,} were published: figures are not comparable with papers",
        )

    def part(self, index_file: Path) -> PairedDataset:
        """The part of the set that a file lists, such as DPDD's indoor scenes.

        Args:
            index_file: numbers from 0 over the set's order (by name for DPDD), as text separated
                by white space or commas, or as a ``.npy`` array. The part is named after it.

        Raises:
            UsageError: the file cannot be read, holds something else, or goes beyond the set.
        """
        indices = _read_indices(index_file)
        if outside := [index for index in indices if not 0 <= index < len(self)]:
            raise UsageError(
                f"index {outside[0]} is outside the {len(self)} pairs of {self.name}",
                path=index_file,
                remedy="number the pairs from 0",
            )
        name = f"{self.name} {index_file.stem}"
        return replace(self, name=name, pairs=tuple(self.pairs[i] for i in indices), expected=None)


def open_dataset(name: str, root: Path, split: str) -> PairedDataset:
    """Find the pairs of one split by the set's own rule.

    Args:
        name: one of `PUBLISHED`, or a folder: a published set recognised by its layout, or
            ``{input,target}``, ``{blur,sharp}`` and the like, with or without ``{split}`` above.
        root: where published sets lie, and what a folder's path is relative to.
        split: ``train``, ``val`` or ``test``.

    Raises:
        UsageError: the set or split is not there or not known; or photos are missing or without
            partner (they are counted and the first are named).
    """
    if name not in PUBLISHED:
        return _open_folder(root / name, split)
    published = PUBLISHED[name]
    if split not in published.counts:
        raise UsageError(
            f"{name} has no split '{split}'", remedy=f"one of {', '.join(published.counts)}"
        )
    found = published.locate(root, split)
    if found is None:
        raise UsageError(
            f"the {split} split of {name} is not there",
            path=root,
            remedy=f"'deblur data fetch {name} --data {root}' brings the set or says where it is; "
            f"it belongs here or into {root / published.folders[0]}",
        )
    home, layout = found
    return PairedDataset(
        name=name,
        split=split,
        pairs=_some(layout.find(home, split), home),
        task=published.task,
        bits=published.bits,
        expected=published.counts[split],
        has_truth=published.has_truth,
    )


def _open_folder(folder: Path, split: str) -> PairedDataset:
    if not folder.is_dir():
        raise UsageError(
            "no such folder, and no data set of that name",
            path=folder,
            remedy=f"the names are {', '.join(PUBLISHED)}",
        )
    if Flat().present(folder, split):
        return PairedDataset(folder.name, split, _some(Flat().find(folder, split), folder))
    recognised = [
        name
        for name in RECOGNISED
        if split in PUBLISHED[name].counts and PUBLISHED[name].locate(folder, split)
    ]
    if len(recognised) == 1:
        return open_dataset(recognised[0], folder, split)
    if recognised:
        raise UsageError(
            f"holds several data sets: {', '.join(recognised)}", path=folder, remedy="name one"
        )
    raise UsageError(
        f"no pairs of a {split} split in any layout that is known",
        path=folder,
        remedy=f"put blurred photos into 'input' and their truth into 'target' of '{split}'",
    )


def _some(pairs: list[Pair], home: Path) -> tuple[Pair, ...]:
    if not pairs:
        raise UsageError("no photos in this folder", path=home, remedy="unpack the set again")
    return tuple(pairs)


def _read_indices(path: Path) -> list[int]:
    try:
        if path.suffix == ".npy":
            listed = [str(entry) for entry in np.load(path).ravel()]
        else:
            listed = path.read_text("utf-8").replace(",", " ").split()
        indices = [int(entry) for entry in listed]
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(
            f"is no list of indices: {error}", path=path, remedy="write numbers from 0 into it"
        ) from error
    if repeated := {str(index) for index in indices if indices.count(index) > 1}:
        raise UsageError(f"lists twice: {first_few(sorted(repeated))}", path=path)
    return indices
