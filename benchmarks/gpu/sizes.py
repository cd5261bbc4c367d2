"""How large everything is: the real sizes, and toy sizes that show on a CPU that it all works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.network import LAYOUTS

Layouts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Sizes:
    """Everything that differs between a run and a dry run."""

    frame: tuple[int, int]
    """Height and width of a video frame in pixels."""
    widths: Mapping[str, int]
    """Networks by name: channels of the finest level."""
    layouts: Layouts
    """Block counts by name, the paper's first."""
    states: int
    batch: int
    """Patches in a training step."""
    patch: int
    """Side of a patch in pixels."""
    long_scan: int
    """Tokens of the longest scan that is checked."""
    odd: tuple[int, int]
    """Height and width of small pictures that networks must pad."""
    picture: int
    """Side of the drawn pictures that precision is checked on."""
    clip: int
    """Frames that go through the engine."""
    copied: int
    """Bytes that are copied to measure bandwidth."""
    matmul: int
    """Side of the matrices that are multiplied to measure arithmetic."""
    seconds: float
    """How long one figure is measured, about."""
    runs: int
    """Fewest runs of one figure."""

    @property
    def paper(self) -> Mapping[str, Any]:
        """Block counts of the paper's layout."""
        return next(iter(self.layouts.values()))


FULL = Sizes(
    frame=(720, 1280),
    widths={"ALGNet": 32, "ALGNet-B": 64},
    layouts=LAYOUTS,
    states=32,
    batch=32,
    patch=256,
    long_scan=1_000_000,
    odd=(75, 106),
    picture=512,
    clip=96,
    copied=4 << 30,
    matmul=8192,
    seconds=0.5,
    runs=3,
)

TOY = Sizes(
    frame=(32, 48),
    widths={"ALGNet": 4, "ALGNet-B": 8},
    layouts={
        "toy 1,1/1/1,1": {"encoder_blocks": (1, 1), "middle_blocks": 1, "decoder_blocks": (1, 1)}
    },
    states=4,
    batch=2,
    patch=16,
    long_scan=300,
    odd=(13, 18),
    picture=48,
    clip=3,
    copied=1 << 16,
    matmul=32,
    seconds=0.0,
    runs=1,
)
