"""Reading of pairs that names, skips and counts those that cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import PIL.Image

from deblur_cli.data.crops import PicturePair
from deblur_cli.data.pairs import Pair, first_few
from deblur_cli.errors import DeblurError, ImageReadError, UsageError


class SkippingReader:
    """Reads pairs one by one; what is damaged, of two sizes or too small is left out.

    Attributes:
        faults: what is wrong with each pair left out so far.
    """

    def __init__(self, smallest: int = 1) -> None:
        """Take the least side of a usable picture, in pixels."""
        self.smallest = smallest
        self.faults: dict[Pair, str] = {}

    def read(self, pair: Pair) -> PicturePair | None:
        """Both pictures, as `Pair.read`; None for a pair with a fault, which is not read again."""
        if pair in self.faults:
            return None
        try:
            blurred, sharp = pair.read()
            _require_side(pair, min(blurred.shape[:2]), self.smallest)
        except DeblurError as error:
            self.faults[pair] = str(error)
            return None
        return blurred, sharp

    def read_all(self, pairs: Iterable[Pair]) -> Iterator[tuple[Pair, PicturePair]]:
        """Every usable pair with its pictures, in the order given."""
        for pair in pairs:
            pictures = self.read(pair)
            if pictures is not None:
                yield pair, pictures


def check_headers(pairs: Iterable[Pair], smallest: int = 1) -> dict[Pair, str]:
    """What is wrong with pairs as far as their files' headers tell; nothing is decoded.

    Finds files that are missing, empty or no image, pairs of two sizes, and pictures with a side
    below ``smallest`` pixels. Damage further inside shows only when the file is read.
    """
    faults: dict[Pair, str] = {}
    for pair in pairs:
        try:
            _require_side(pair, _common_sides(pair)[0], smallest)
        except DeblurError as error:
            faults[pair] = str(error)
    return faults


def in_words(faults: Mapping[Pair, str] | Mapping[Path, str], count: int) -> str:
    """How many of ``count`` pairs or photos have a fault, the first names, and the first fault."""
    first = next(iter(faults.values()), "")
    names = first_few(one.name for one in faults)
    kind = "photos" if any(isinstance(one, Path) for one in faults) else "pairs"
    return f"{len(faults)} of {count} {kind} cannot be used: {names}; {first}"


def _require_side(pair: Pair, side: int, smallest: int) -> None:
    if side < smallest:
        raise UsageError(
            f"its shorter side of {side} pixels is too small",
            path=pair.blurred,
            remedy=f"at least {smallest} are needed",
        )


def _common_sides(pair: Pair) -> tuple[int, int]:
    """Shorter and longer side of both pictures; which is the height may depend on EXIF."""
    shapes = [_sides(path) for path in (pair.blurred, pair.sharp) if path is not None]
    if len(set(shapes)) > 1:
        sizes = " and ".join(f"{longer}x{shorter}" for shorter, longer in shapes)
        raise UsageError(f"pair '{pair.name}' differs in size, {sizes}", path=pair.blurred)
    return shapes[0]


def _sides(path: Path) -> tuple[int, int]:
    try:
        with PIL.Image.open(path) as image:
            return min(image.size), max(image.size)
    except Exception as error:  # Pillow's readers raise anything on damaged headers
        raise ImageReadError(
            f"cannot be read as an image: {error}", path=path, remedy="remove or replace it"
        ) from error
