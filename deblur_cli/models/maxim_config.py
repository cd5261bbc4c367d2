"""The layouts of MAXIM: any width and depth; given or read from weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from deblur_cli.errors import UsageError
from deblur_cli.models.state_dict import count_children

LEVELS = 3
"""Resolutions of the U-shape, each half the one before; the bottleneck lies below them."""

REDUCTION = 4
"""Channels per hidden channel of a channel attention."""


@dataclass(frozen=True)
class MAXIMConfig:
    """Layout of a MAXIM; the defaults are MAXIM-3S, the deblurring releases' (22.2 M parameters).

    Levels count from 0 (finest).
    """

    features: int = 32
    """Channels of level 0; they double from level to level, but not at the bottleneck."""
    stages: int = 3
    groups: int = 2
    """Multi-axis blocks, each with a channel attention, per encoder, decoder and bottleneck."""
    bottleneck_blocks: int = 2
    block_hr: int = 16
    """Cells per side of a grid, and pixels per side of a window, at levels 0 and 1."""
    block_lr: int = 8
    """The same at level 2 and at the bottleneck."""
    coarse_results: bool = True
    """Whether the last stage restores half and quarter size too; some releases left that out."""

    def __post_init__(self) -> None:
        """Refuse layouts that make no network.

        Raises:
            UsageError: says what MAXIM needs.
        """
        counts = (self.stages, self.groups, self.bottleneck_blocks, self.block_hr, self.block_lr)
        if min(counts) < 1:
            raise UsageError("MAXIM needs at least 1 of stages, groups, blocks and their sides")
        if self.features < REDUCTION or self.features % REDUCTION:
            raise UsageError(f"MAXIM needs a multiple of {REDUCTION} features")

    def channels(self, level: int) -> int:
        """Channels of this level; those of the bottleneck are the last level's."""
        return int(self.features * 2 ** min(level, LEVELS - 1))

    def block(self, level: int) -> int:
        """Side of grids and windows at this level; level 3 is the bottleneck."""
        return self.block_hr if level < LEVELS - 1 else self.block_lr

    @property
    def size_multiple(self) -> int:
        """Heights and widths that every level can be cut into grids and windows for."""
        return math.lcm(*(self.block(level) * 2**level for level in range(LEVELS + 1)))


def infer_config(state: Mapping[str, Tensor]) -> MAXIMConfig | None:
    """Read the layout from a state dict's keys and shapes; None if it is no MAXIM."""
    first = "stages.0.in_conv.0.weight"
    fine, coarse = (f"stages.0.encoder.{k}.mab.0.grid.gate.bias" for k in (0, LEVELS - 1))
    if not {first, fine, coarse} <= state.keys():
        return None
    stages = count_children(state, "stages.")
    return MAXIMConfig(
        features=state[first].shape[0],
        stages=stages,
        groups=count_children(state, "stages.0.encoder.0.mab."),
        bottleneck_blocks=count_children(state, "stages.0.bottleneck."),
        block_hr=math.isqrt(state[fine].shape[0]),
        block_lr=math.isqrt(state[coarse].shape[0]),
        coarse_results=count_children(state, f"stages.{stages - 1}.out_conv.") == LEVELS,
    )
