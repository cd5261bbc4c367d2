"""Stand-ins that make the pipeline testable without a network: they need no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from deblur_cli.pipeline.discovery.discover import discover
from deblur_cli.pipeline.plan import Destination, Job, plan

Picture = npt.NDArray[Any]


@dataclass(frozen=True)
class FakeRestoration:
    image: Picture
    tile: int = 64
    tiles: int = 1
    redone: int = 0
    kept: int = 0
    warnings: tuple[str, ...] = ()


class FakeDeblurrer:
    """Inverts pictures; `before` is called with each one's number first."""

    source = "nowhere"
    warnings: tuple[str, ...] = ()

    def __init__(
        self,
        before: Callable[[int], object] = lambda number: None,
        device: str = "cpu",
        **settings: Any,
    ) -> None:
        self.summary = f"inverter on {device}"
        self.computing = {"device": device, "dtype": "float32"}
        self.settings = {"model": "inverter", "weights": "", **settings}
        self.calls = 0
        self._before = before

    def __call__(self, image: Picture) -> Picture:
        return self.restore(image).image

    def restore(self, image: Picture, strength: float = 1.0) -> FakeRestoration:
        self.calls += 1
        self._before(self.calls)
        return FakeRestoration(255 - image if strength else image)

    def stream(self, images: Iterable[Picture], strength: float = 1.0) -> Iterator[FakeRestoration]:
        return (self.restore(image, strength) for image in images)


def save_picture(path: Path, value: int = 40, size: tuple[int, int] = (12, 8)) -> Path:
    """A picture of one grey value, in the format of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3), value, np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def mean_of(path: Path) -> float:
    """Mean sample value of a picture."""
    with Image.open(path) as image:
        return float(np.asarray(image.convert("RGB")).mean())


def save_folder(folder: Path) -> Path:
    """A folder of three pictures of different formats, one of them in a folder of its own."""
    for name in ("a.png", "b.jpg", "town/c.webp"):
        save_picture(folder / name, value=40)
    return folder


def jobs_of(*inputs: Path, output: Path | None = None) -> tuple[Job, ...]:
    """What is to be done with the pictures of files and folders."""
    sources = discover(inputs, output).sources
    return plan(sources, Destination(str(output) if output else None))
