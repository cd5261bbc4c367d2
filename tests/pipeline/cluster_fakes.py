"""A network that inverts pictures on the workers of a cluster, and keeps a list of what it did."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.pipeline.fakes import FakeDeblurrer, FakeRestoration, Picture


@dataclass(frozen=True)
class FakeLoader:
    """What workers make their network of.

    Args:
        diary: gets a line for each picture whose restoration begins: its grey value, the worker.
        seconds: that it takes.
        poison: the grey value of pictures that end the worker's process.
    """

    diary: Path
    seconds: float = 0.0
    poison: int | None = None

    def __call__(self, device: str, weights: bytes) -> FakeDeblurrer:
        return _Inverter(self, device, model=weights.decode())

    def grey_values(self) -> list[int]:
        """Of the pictures whose restoration began."""
        lines = self.diary.read_text().splitlines() if self.diary.exists() else []
        return [int(line.split()[0]) for line in lines]


class _Inverter(FakeDeblurrer):
    def __init__(self, loader: FakeLoader, device: str, **settings: str) -> None:
        super().__init__(device=device, **settings)
        self._loader = loader

    def restore(self, image: Picture, strength: float = 1.0) -> FakeRestoration:
        value = int(image.flat[0])
        with self._loader.diary.open("a") as diary:
            diary.write(f"{value} {os.getpid()}\n")
        if value == self._loader.poison:
            os._exit(1)
        time.sleep(self._loader.seconds)
        return super().restore(image, strength)
