"""How the published sets lie on disk, and each one's own rule of what belongs together.

``{split}`` in a folder's name stands for ``train``, ``val`` or ``test``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deblur_cli.data.pairs import BLURRED_FOLDERS, Pair, find_pairs, first_few, named, pair_by_name
from deblur_cli.data.photos import photos_below
from deblur_cli.errors import UsageError


class Layout(Protocol):
    """One way of laying out a set."""

    def present(self, home: Path, split: str) -> bool:
        """Whether a folder looks as if it held this split in this layout."""

    def find(self, home: Path, split: str) -> list[Pair]:
        """The pairs of a split that is `present`.

        Raises:
            UsageError: files are missing or without partner; they are counted, the first named.
        """


@dataclass(frozen=True)
class SceneFolders:
    """``{split}/SCENE/{blurred,sharp}/NAME.png``, paired by scene and name (GoPro)."""

    blurred: str
    sharp: str = "sharp"

    def present(self, home: Path, split: str) -> bool:
        """Whether any scene has a folder of blurred photos."""
        return any((scene / self.blurred).is_dir() for scene in _subfolders(home / split))

    def find(self, home: Path, split: str) -> list[Pair]:
        """Pairs named ``SCENE/NAME``."""
        blurred, sharp = (
            named(
                {
                    path: f"{scene.name}/{path.stem}"
                    for scene in _subfolders(home / split)
                    for path in photos_below(scene / kind)
                }
            )
            for kind in (self.blurred, self.sharp)
        )
        return pair_by_name(home / split, blurred, sharp)


@dataclass(frozen=True)
class CommonTruth:
    """``{split}/**/NAME.png`` with all truth in one folder ``GT/NAME.png`` (HIDE)."""

    truth: str = "GT"

    def present(self, home: Path, split: str) -> bool:
        """Whether both folders are there."""
        return (home / split).is_dir() and (home / self.truth).is_dir()

    def find(self, home: Path, split: str) -> list[Pair]:
        """Pairs named ``NAME``; truth of other splits is left alone."""
        blurred, sharp = (
            named({path: path.stem for path in photos_below(folder)})
            for folder in (home / split, home / self.truth)
        )
        return pair_by_name(home, blurred, sharp, spare_truth=True)


@dataclass(frozen=True)
class ListFile:
    """A folder of scenes and a list with a line ``TRUTH BLURRED`` for each pair (RealBlur)."""

    folder: str
    list_file: str
    blurred: str = "blur"

    def present(self, home: Path, split: str) -> bool:
        """Whether the folder of scenes is there."""
        return (home / self.folder).is_dir()

    def find(self, home: Path, split: str) -> list[Pair]:
        """Pairs named ``SCENE/NAME`` in the order of the list, whose paths are below ``home``."""
        listed = home / self.list_file.format(split=split)
        lines = [line.split() for line in self._text(listed).splitlines() if line.strip()]
        for number, line in enumerate(lines, start=1):
            if len(line) != 2 or any(not name.startswith(f"{self.folder}/") for name in line):
                raise UsageError(
                    f"entry {number} does not name a truth and a blurred photo in {self.folder}",
                    path=listed,
                    remedy="fetch an intact copy of the list",
                )
        pairs = [self._pair(home, blurred, truth) for truth, blurred in lines]
        files = (path for pair in pairs for path in (pair.blurred, pair.sharp) if path)
        if missing := [path for path in files if not path.is_file()]:
            names = (path.relative_to(home / self.folder).as_posix() for path in missing)
            raise UsageError(
                f"{len(missing)} of {2 * len(pairs)} listed photos are missing: {first_few(names)}",
                path=home / self.folder,
                remedy=f"unpack all of the set; {listed.name} says what belongs to it",
            )
        return pairs

    def _pair(self, home: Path, blurred: str, truth: str) -> Pair:
        path = _in_existing_scene(home / blurred)
        name = path.relative_to(home / self.folder).with_suffix("")
        parts = (part for part in name.parts if part != self.blurred)
        return Pair("/".join(parts), path, _in_existing_scene(home / truth))

    def _text(self, listed: Path) -> str:
        try:
            return listed.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"the list of this split cannot be read: {error}",
                path=listed,
                remedy=f"it comes with the set and belongs beside {self.folder}",
            ) from error


@dataclass(frozen=True)
class SortedOrder:
    """Two folders whose n-th photos by name belong together, as their names differ (DPDD)."""

    blurred: str
    sharp: str

    def present(self, home: Path, split: str) -> bool:
        """Whether the folder of blurred photos is there."""
        return (home / self.blurred.format(split=split)).is_dir()

    def find(self, home: Path, split: str) -> list[Pair]:
        """Pairs named as their blurred photos."""
        folders = [home / kind.format(split=split) for kind in (self.blurred, self.sharp)]
        blurred, sharp = (photos_below(folder) for folder in folders)
        if len(blurred) != len(sharp):
            raise UsageError(
                f"{len(blurred)} blurred photos ({first_few(path.name for path in blurred)}), but "
                f"{len(sharp)} sharp ones in {folders[1]} "
                f"({first_few(path.name for path in sharp) or 'none'})",
                path=folders[0],
                remedy="they pair by order, so both folders must be complete",
            )
        paths = named({path: path.stem for path in blurred})
        return [Pair(*entry, truth) for entry, truth in zip(paths.items(), sharp, strict=True)]


@dataclass(frozen=True)
class BlurredOnly:
    """Blurred photos without truth, in scenes or not (RWBI)."""

    def present(self, home: Path, split: str) -> bool:
        """Whether there is any photo."""
        return bool(photos_below(home))

    def find(self, home: Path, split: str) -> list[Pair]:
        """All photos, named by their path without suffix."""
        names = {
            path: path.relative_to(home).with_suffix("").as_posix() for path in photos_below(home)
        }
        return [Pair(name, path, None) for name, path in named(names).items()]


@dataclass(frozen=True)
class Flat:
    """``{split}/{input,target}/`` or ``{input,target}/`` and synonyms, paired by name."""

    def present(self, home: Path, split: str) -> bool:
        """Whether there is a folder of blurred photos."""
        return self._place(home, split) is not None

    def find(self, home: Path, split: str) -> list[Pair]:
        """Pairs named by their path below these folders."""
        return find_pairs(self._place(home, split) or home)

    def _place(self, home: Path, split: str) -> Path | None:
        for place in (home / split, home):
            if any((place / name).is_dir() for name in BLURRED_FOLDERS):
                return place
        return None


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _in_existing_scene(path: Path) -> Path:
    """The path, or that in ``SCENE_reflect`` where only this folder exists (scene244)."""
    scene = path.parents[1]
    reflected = scene.with_name(f"{scene.name}_reflect")
    if not scene.is_dir() and reflected.is_dir():
        return reflected / path.relative_to(scene)
    return path
