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
        stalled: the id of a node where no picture is ever done; others wait until one begins there.
    """

    diary: Path
    seconds: float = 0.0
    poison: int | None = None
    stalled: str = ""

    def __call__(self, device: str, weights: bytes) -> FakeDeblurrer:
        return _Inverter(self, device, model=weights.decode())

    def grey_values(self) -> list[int]:
        """Of the pictures whose restoration began."""
        return [value for value, _ in self._entries()]

    def workers(self) -> set[int]:
        """The processes that began with a picture."""
        return {worker for _, worker in self._entries()}

    def wait(self) -> None:
        """What comes before a picture is done."""
        time.sleep(self.seconds)
        if self.stalled:
            import ray

            is_here = ray.get_runtime_context().get_node_id() == self.stalled
            while is_here or len(self.workers()) < 2:
                time.sleep(0.05)

    def _entries(self) -> list[tuple[int, int]]:
        lines = self.diary.read_text().splitlines() if self.diary.exists() else []
        return [(int(value), int(worker)) for value, worker in map(str.split, lines)]


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
        self._loader.wait()
        return super().restore(image, strength)
