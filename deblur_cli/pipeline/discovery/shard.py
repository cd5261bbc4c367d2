"""A share of the pictures, for the tasks of an array job."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deblur_cli.errors import UsageError
from deblur_cli.pipeline.discovery.sources import Source


@dataclass(frozen=True)
class Shard:
    """The `index`-th of `count` shares, from 1.

    A picture's share depends on nothing but its path below the input, so others that come or go
    change nothing, and each machine may reach the pictures by another way.
    """

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The share that a text such as `2/8` means; raises `UsageError`."""
        numbers = re.fullmatch(r"(\d+)/(\d+)", text)
        shard = cls(int(numbers[1]), int(numbers[2])) if numbers else cls(0, 0)
        if not 1 <= shard.index <= shard.count:
            raise UsageError(f"--shard {text} is no share", remedy="1/8 to 8/8 are eight shares")
        return shard

    def places(self, sources: Sequence[Source]) -> Iterable[int]:
        """The places of this share's pictures among all."""
        if self.count == 1:
            return range(len(sources))
        return (place for place, source in enumerate(sources) if self.takes(source.below))

    def takes(self, below: Path) -> bool:
        """Whether a picture, by its path below the input, is in this share."""
        name = below.as_posix().encode("utf-8", "surrogateescape")
        number = int.from_bytes(hashlib.sha256(name).digest()[:8], "big")
        return number % self.count == self.index - 1
