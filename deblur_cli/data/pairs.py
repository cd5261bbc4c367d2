"""Pairs of a blurred photo and its truth, found on disk by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deblur_cli.data.camera import Picture
from deblur_cli.data.photos import list_photos, read_rgb
from deblur_cli.errors import UsageError

BLURRED_FOLDERS = ("blur", "input", "source")
SHARP_FOLDERS = ("sharp", "target", "gt", "GT")
NAMED_AT_MOST = 5


@dataclass(frozen=True)
class Pair:
    """Where one blurred photo and its truth lie."""

    name: str
    blurred: Path
    sharp: Path

    def read(self) -> tuple[Picture, Picture]:
        """Both photos, blurred first, ``(H, W, 3)`` RGB uint8.

        Raises:
            ImageReadError: one of them is damaged.
            UsageError: they differ in size.
        """
        blurred, sharp = read_rgb(self.blurred), read_rgb(self.sharp)
        if blurred.shape != sharp.shape:
            sizes = " and ".join(f"{image.shape[1]}x{image.shape[0]}" for image in (blurred, sharp))
            raise UsageError(
                f"pair '{self.name}' differs in size, {sizes}",
                path=self.blurred,
                remedy="both photos of a pair must have one size",
            )
        return blurred, sharp


def find_pairs(root: Path) -> list[Pair]:
    """Pairs of ``root/{blur|input|source}`` and ``root/{sharp|target|gt|GT}``, sorted by name.

    Photos pair by their path below these folders without suffix.

    Raises:
        UsageError: a folder is missing or empty, photos are without partner (they are named), or
            two in a folder share a name.
    """
    blurred = _by_name(_subfolder(root, BLURRED_FOLDERS))
    sharp = _by_name(_subfolder(root, SHARP_FOLDERS))
    if unpaired := sorted(blurred.keys() ^ sharp.keys()):
        shown = ", ".join(unpaired[:NAMED_AT_MOST])
        more = f" and {len(unpaired) - NAMED_AT_MOST} more" if len(unpaired) > NAMED_AT_MOST else ""
        raise UsageError(
            f"photos without partner: {shown}{more}",
            path=root,
            remedy="every blurred photo needs a sharp one of the same name, and none may be left",
        )
    return [Pair(name, blurred[name], sharp[name]) for name in sorted(blurred)]


def _subfolder(root: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise UsageError(
        f"no folder named {' or '.join(names)}",
        path=root,
        remedy="put blurred photos into 'blur' and their truth into 'sharp'",
    )


def _by_name(folder: Path) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in list_photos(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in named:
            raise UsageError(
                f"two photos named '{name}', {named[name].suffix} and {path.suffix}",
                path=folder,
                remedy="keep one of them",
            )
        named[name] = path
    return named
