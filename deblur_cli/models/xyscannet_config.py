"""The layouts of XYScanNet: any width and depth, and the release's options; given or read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from deblur_cli.errors import UsageError
from deblur_cli.models.state_dict import count_children

Gate = Literal["image", "batch"]

LEVELS = 3
"""Resolutions: full, a half and a quarter."""


@dataclass(frozen=True)
class XYScanNetConfig:
    """Layout of an XYScanNet; the defaults are the release's (16.2 M parameters).

    Levels count from 0 (finest) to 2.
    """

    width: int = 72
    """Channels of the finest level; they double from level to level. 72 is XYScanNet, 144 its
    larger XYScanNetP."""
    blocks: tuple[int, ...] = (3, 3, 6)
    """Blocks per level, in the encoder and again in the decoder."""
    scan_expansion: float = 1.0
    """Channels inside the scanners per channel of the block."""
    ffn_expansion: float = 1.0
    """Hidden channels of the feed-forward layers per channel of the block."""
    bias: bool = False
    """Whether the convolutions within blocks, fusions and the output have a bias."""
    norm_bias: bool = True
    """Whether layer norms subtract the mean and have a bias."""
    gate: Gate = "image"
    """Over what a fusion compares its inputs: each `image`, or as in the release the whole `batch`,
    so that the result of an image depends on the others."""

    def __post_init__(self) -> None:
        """Freeze lists into tuples and refuse layouts that make no network.

        Raises:
            UsageError: says what XYScanNet needs.
        """
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if len(self.blocks) != LEVELS or min(self.blocks) < 1:
            raise UsageError(f"XYScanNet needs {LEVELS} numbers of blocks of at least 1")
        if self.gate not in get_args(Gate):
            raise UsageError(f"unknown gate '{self.gate}'", remedy="image or batch")
        levels = range(LEVELS)
        if self.width < 1 or any(self.ffn_channels(level) < 1 for level in levels):
            raise UsageError("XYScanNet needs a channel or more in every layer")
        if any(self.scan_channels(level) < 2 or self.scan_channels(level) % 2 for level in levels):
            raise UsageError("XYScanNet needs an even number of channels in every scanner")

    def channels(self, level: int) -> int:
        """Channels of this level."""
        return int(self.width * 2**level)

    def scan_channels(self, level: int) -> int:
        """Channels inside the scanners of this level, one half for each direction."""
        return _expanded(self.channels(level), self.scan_expansion)

    def ffn_channels(self, level: int) -> int:
        """Hidden channels of the feed-forward layers of this level."""
        return _expanded(self.channels(level), self.ffn_expansion)


def _expanded(channels: int, expansion: float) -> int:
    """The product without its fraction, as in the release, safe from its rounding error."""
    return int(channels * expansion + 1e-6)


def infer_config(state: Mapping[str, Tensor]) -> XYScanNetConfig | None:
    """Read the layout from a state dict's keys and shapes; None if it is no XYScanNet."""
    embedding, block = "patch_embed.proj.weight", "decoder_level1.0."
    scan, ffn = "intra.proj_out.weight", "ffn1.project_out.weight"
    if not {embedding, "clff_level1.conv.weight", block + scan, block + ffn} <= state.keys():
        return None
    width = state[embedding].shape[0]
    return XYScanNetConfig(
        width=width,
        blocks=tuple(count_children(state, f"encoder_level{k + 1}.") for k in range(LEVELS)),
        scan_expansion=_expansion(state, width, scan),
        ffn_expansion=_expansion(state, width, ffn),
        bias="output.bias" in state,
        norm_bias=block + "norm1_ffn.body.bias" in state,
    )


def _expansion(state: Mapping[str, Tensor], width: int, layer: str) -> float:
    """The smallest factor that gives the layer of every level its input channels."""
    keys = {level: f"decoder_level{level + 1}.0.{layer}" for level in range(LEVELS)}
    return max(
        state[key].shape[1] / max(width << level, 1) for level, key in keys.items() if key in state
    )
