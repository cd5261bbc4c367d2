"""Image sequences: pictures whose names count, such as `frames/%06d.png`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from deblur_cli.errors import VideoReadError

_COUNTER = re.compile(r"%(?:0(\d+))?d")
_SUFFIXES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".tga"}
FIRST = 1
"""The number of the first picture where nothing else is said."""


def is_sequence(path: Path) -> bool:
    """Whether a path names pictures by a counter such as `%06d`, and no file of its own."""
    names_pictures = path.suffix.lower() in _SUFFIXES and path.name.count("%") == 1
    return names_pictures and bool(_COUNTER.search(path.name)) and not path.exists()


@dataclass(frozen=True)
class PictureSequence:
    """Pictures in one folder, named by a number."""

    pattern: Path

    @property
    def url(self) -> str:
        """The pattern as FFmpeg's `image2` takes it: only the counter is one."""
        folder = str(self.pattern.parent).replace("%", "%%")
        return f"file:{folder}/{self.pattern.name}"

    def picture(self, number: int) -> Path:
        """Where the picture of a number lies."""
        return self.pattern.with_name(_COUNTER.sub(lambda _: self._digits(number), self._name))

    def numbers(self) -> list[int]:
        """Of the pictures that are there, in order."""
        before, after = (re.escape(part) for part in _COUNTER.split(self._name)[::2])
        own = re.compile(f"{before}(\\d+){after}")
        if not self.pattern.parent.is_dir():
            return []
        found = (own.fullmatch(path.name) for path in self.pattern.parent.iterdir())
        counted = {int(match[1]): match[1] for match in found if match}
        return sorted(number for number, text in counted.items() if text == self._digits(number))

    def first(self) -> int:
        """The number of the first picture; raises `VideoReadError` unless they count by one."""
        numbers = self.numbers()
        if not numbers:
            raise VideoReadError(
                "there are no such pictures",
                path=self.pattern,
                remedy="the counter stands for digits: %06d for 000001, %d for 1",
            )
        for expected, number in enumerate(numbers, numbers[0]):
            if number != expected:
                raise VideoReadError(
                    f"the sequence goes on with {self.picture(number).name}: pictures are missing",
                    path=self.picture(expected),
                    remedy="number them without gaps",
                )
        return numbers[0]

    def representative(self) -> Path:
        """The picture that stands for all of them: the first, which is written last."""
        numbers = self.numbers()
        return self.picture(numbers[0] if numbers else FIRST)

    @property
    def _name(self) -> str:
        return self.pattern.name

    def _digits(self, number: int) -> str:
        counter = _COUNTER.search(self._name)
        width = int(counter[1] or 0) if counter else 0
        return f"{number:0{width}d}" if width else str(number)
