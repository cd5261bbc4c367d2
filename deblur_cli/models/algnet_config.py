"""The layouts of ALGNet: the paper's, its ablations, small ones; given or read from weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from deblur_cli.errors import UsageError
from deblur_cli.models.state_dict import count_children

Fusion = Literal["release", "paper", "sum", "concat"]


@dataclass(frozen=True)
class ALGNetConfig:
    """Layout of an ALGNet; the defaults are the paper's (37.7 M parameters).

    Levels count from 0 (finest) to `len(encoder_blocks)` (the middle).
    """

    width: int = 32
    """Channels of the finest level; they double from level to level. 32 is ALGNet, 64 ALGNet-B."""
    encoder_blocks: tuple[int, ...] = (1, 1, 1, 28)
    middle_blocks: int = 1
    decoder_blocks: tuple[int, ...] = (1, 1, 1, 1)
    """Blocks per decoder level, coarsest first."""
    state_size: int = 32
    """States per channel of the selective scan, N."""
    stem: int = 1
    """Pixel-unshuffle factor in front of the network: 2 works at half the resolution."""
    global_levels: tuple[int, ...] | None = None
    """Levels whose blocks have the global branch; None means all, () none."""
    local_branch: bool = True
    fusion: Fusion = "release"
    """How a block joins its branches G and L: `release` per-channel factors on both, `paper`
    G + W L (eq. 11), `sum` G + L, `concat` a 1x1 convolution of both (table 5)."""

    def __post_init__(self) -> None:
        """Freeze lists into tuples and refuse layouts that make no network.

        Raises:
            UsageError: says what ALGNet needs.
        """
        for name in ("encoder_blocks", "decoder_blocks"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.encoder_blocks) != len(self.decoder_blocks):
            raise UsageError("ALGNet needs as many decoder levels as encoder levels")
        counts = (*self.encoder_blocks, self.middle_blocks, *self.decoder_blocks)
        if not self.encoder_blocks or min(counts) < 1:
            raise UsageError("ALGNet needs a level or more, and blocks in each")
        self._normalise_global_levels()
        if self.fusion not in get_args(Fusion):
            raise UsageError(
                f"unknown fusion '{self.fusion}'", remedy=f"one of {', '.join(get_args(Fusion))}"
            )
        if self.width % 2 or self.width < 4 or self.stem < 1 or self.state_size < 1:
            raise UsageError(
                "ALGNet needs an even width of at least 4, stem >= 1 and state_size >= 1"
            )

    def _normalise_global_levels(self) -> None:
        """Bring equal layouts to one spelling: ascending, None if all levels are listed."""
        if self.global_levels is None:
            return
        levels = tuple(sorted(set(self.global_levels)))
        every = tuple(range(self.levels + 1))
        if unknown := set(levels).difference(every):
            raise UsageError(
                f"ALGNet has no level {min(unknown)} here", remedy=f"levels are 0 to {self.levels}"
            )
        object.__setattr__(self, "global_levels", None if levels == every else levels)

    @property
    def levels(self) -> int:
        """Number of encoder levels."""
        return len(self.encoder_blocks)

    @property
    def size_multiple(self) -> int:
        """Height and width are padded to multiples of this."""
        return int(self.stem * 2**self.levels)

    def has_global_branch(self, level: int) -> bool:
        """Whether blocks of this level have the Mamba branch."""
        return self.global_levels is None or level in self.global_levels

    def channels(self, level: int) -> int:
        """Channels of this level."""
        return int(self.width * 2**level)


def infer_config(state: Mapping[str, Tensor]) -> ALGNetConfig | None:
    """Read the layout from a state dict's keys and shapes; None if it is no ALGNet."""
    if not {"intro.weight", "ending.weight", "Convs.0.weight", "encoders.0.0.beta"} <= state.keys():
        return None
    levels = sum(key.startswith("downs.") and key.endswith(".weight") for key in state)
    state_sizes = {value.shape[1] for key, value in state.items() if key.endswith(".A_log")}
    global_levels = tuple(
        level
        for level in range(levels + 1)
        if _any_key(state, _level_prefixes(level, levels), ".A_log")
    )
    return ALGNetConfig(
        width=state["intro.weight"].shape[0],
        encoder_blocks=tuple(count_children(state, f"encoders.{k}.") for k in range(levels)),
        middle_blocks=count_children(state, "middle_blks."),
        decoder_blocks=tuple(count_children(state, f"decoders.{k}.") for k in range(levels)),
        state_size=state_sizes.pop() if state_sizes else 32,
        stem=math.isqrt(state["intro.weight"].shape[1] // 3),
        global_levels=global_levels,
        local_branch=_any_key(state, ("",), ".l_layer.conv1.weight"),
        fusion=_infer_fusion(state),
    )


def _infer_fusion(state: Mapping[str, Tensor]) -> Fusion:
    block = "encoders.0.0."
    if block + "lamb_g" in state:
        return "release"
    if block + "lamb_l" in state:
        return "paper"
    return "concat" if block + "conv3_2.weight" in state else "sum"


def _level_prefixes(level: int, levels: int) -> tuple[str, ...]:
    if level == levels:
        return ("middle_blks.",)
    return (f"encoders.{level}.", f"decoders.{levels - 1 - level}.")


def _any_key(state: Mapping[str, Tensor], prefixes: tuple[str, ...], suffix: str) -> bool:
    return any(key.startswith(prefixes) and key.endswith(suffix) for key in state)
