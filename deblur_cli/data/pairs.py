"""Pairs of a blurred photo and its truth, found on disk by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from deblur_cli.data.camera import Picture
from deblur_cli.data.photos import list_photos, read_native, read_rgb
from deblur_cli.errors import UsageError
from deblur_cli.imaging.photo import Image

BLURRED_FOLDERS = ("blur", "input", "source")
SHARP_FOLDERS = ("sharp", "target", "gt", "GT")
NAMED_AT_MOST = 5

AnyPicture = TypeVar("AnyPicture", bound=Image)


@dataclass(frozen=True)
class Pair:
    """Where one blurred photo and its truth lie."""

    name: str
    blurred: Path
    sharp: Path | None
    """None in a set of blurred photos without truth."""

    def read(self) -> tuple[Picture, Picture]:
        """Both photos, blurred first, ``(H, W, 3)`` RGB uint8.

        Raises:
            ImageReadError: one of them is damaged.
            UsageError: they differ in size, or there is no truth.
        """
        return self._alike(read_rgb(self.blurred), read_rgb(self._truth()))

    def read_native(self) -> tuple[Image, Image]:
        """As `read`, but in uint16 where the files have 16 bits; both must have equally many."""
        return self._alike(read_native(self.blurred), read_native(self._truth()))

    def _truth(self) -> Path:
        if self.sharp is None:
            raise UsageError(
                "has no truth to compare with",
                path=self.blurred,
                remedy="use a set of pairs of blurred and sharp photos",
            )
        return self.sharp

    def _alike(self, blurred: AnyPicture, sharp: AnyPicture) -> tuple[AnyPicture, AnyPicture]:
        if blurred.shape != sharp.shape:
            raise self._differing("size", [f"{p.shape[1]}x{p.shape[0]}" for p in (blurred, sharp)])
        if blurred.dtype != sharp.dtype:
            raise self._differing("depth", [f"{p.dtype}" for p in (blurred, sharp)])
        return blurred, sharp

    def _differing(self, what: str, values: Sequence[str]) -> UsageError:
        return UsageError(
            f"pair '{self.name}' differs in {what}, {' and '.join(values)}",
            path=self.blurred,
            remedy=f"both photos of a pair must have one {what}",
        )


def find_pairs(root: Path) -> list[Pair]:
    """Pairs of ``root/{blur|input|source}`` and ``root/{sharp|target|gt|GT}``, sorted by name.

    Photos pair by their path below these folders without suffix.

    Raises:
        UsageError: a folder is missing or empty, photos are without partner (they are counted and
            the first are named), or two in a folder share a name.
    """
    blurred, sharp = _subfolder(root, BLURRED_FOLDERS), _subfolder(root, SHARP_FOLDERS)
    return pair_by_name(
        root,
        named({path: _below(blurred, path) for path in list_photos(blurred)}),
        named({path: _below(sharp, path) for path in list_photos(sharp)}),
    )


def pair_by_name(
    root: Path,
    blurred: Mapping[str, Path],
    sharp: Mapping[str, Path],
    *,
    spare_truth: bool = False,
) -> list[Pair]:
    """Pairs of photos of the same name, sorted by it.

    Args:
        root: named in errors.
        blurred: the blurred photos by their names.
        sharp: their truth likewise.
        spare_truth: whether there may be truth that no blurred photo belongs to.

    Raises:
        UsageError: photos are without partner.
    """
    lonely = blurred.keys() - sharp.keys() if spare_truth else blurred.keys() ^ sharp.keys()
    if lonely:
        raise UsageError(
            f"{len(lonely)} photos without partner: {first_few(sorted(lonely))}",
            path=root,
            remedy="every blurred photo needs a sharp one of the same name, and none may be left",
        )
    return [Pair(name, blurred[name], sharp[name]) for name in sorted(blurred)]


def named(names: Mapping[Path, str]) -> dict[str, Path]:
    """Paths by their names; raises `UsageError` if two share one."""
    paths: dict[str, Path] = {}
    for path, name in names.items():
        if name in paths:
            raise UsageError(
                f"two photos named '{name}', {paths[name].name} and {path.name}",
                path=path.parent,
                remedy="keep one of them",
            )
        paths[name] = path
    return paths


def first_few(names: Iterable[str]) -> str:
    """The first names in words, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - NAMED_AT_MOST} more" if len(listed) > NAMED_AT_MOST else ""
    return ", ".join(listed[:NAMED_AT_MOST]) + more


def _subfolder(root: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise UsageError(
        f"no folder named {' or '.join(names)}",
        path=root,
        remedy="put blurred photos into 'blur' and their truth into 'sharp'",
    )


def _below(folder: Path, path: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()
