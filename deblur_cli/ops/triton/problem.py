"""One scan as the kernels see it: its tensors, its sizes, and how the work is divided."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from deblur_cli.ops.layout import token_major
from deblur_cli.ops.triton.blocks import LANES, LOG2_E, power_of_two

SHORTEST_PIECE = 64
"""Tokens of a piece; shorter ones would spend more on their states than they save."""

STATES_PER_PROGRAM = 1024
"""32 in each thread of a warp: the most whose neighbours still fit into its registers."""

PROGRAMS_PER_PROCESSOR = 16
"""One-warp programs whose states fit into the registers of a multiprocessor."""


@dataclass(frozen=True)
class Problem:
    """One scan; tensors are token-major.

    Attributes:
        u, delta, z: (B, L, D).
        B, C: (B, L, N).
        decay: A * log2(e), (N, D), float32.
        skip, bias: D and delta_bias, (D,), float32.
        softplus: whether `delta` goes through a softplus.
    """

    u: Tensor
    delta: Tensor
    B: Tensor
    C: Tensor
    z: Tensor | None
    decay: Tensor
    skip: Tensor | None
    bias: Tensor | None
    softplus: bool

    @classmethod
    def of(
        cls,
        u: Tensor,
        delta: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor | None,
        z: Tensor | None,
        delta_bias: Tensor | None,
        softplus: bool,
    ) -> Problem:
        """From the arguments of `selective_scan`."""
        u, delta, B, C = (token_major(tensor) for tensor in (u, delta, B, C))
        z = None if z is None else token_major(z)
        decay = (A.float() * LOG2_E).t().contiguous()
        skip, bias = (None if v is None else v.float().contiguous() for v in (D, delta_bias))
        return cls(u, delta, B, C, z, decay, skip, bias, softplus)

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.u.device

    @property
    def batch(self) -> int:
        """Images."""
        return self.u.shape[0]

    @property
    def length(self) -> int:
        """Tokens."""
        return self.u.shape[1]

    @property
    def channels(self) -> int:
        """D."""
        return self.u.shape[2]

    @property
    def states(self) -> int:
        """N."""
        return self.decay.shape[0]

    @property
    def block(self) -> dict[str, int]:
        """States and channels of a program."""
        states = power_of_two(self.states)
        channels = max(1, STATES_PER_PROGRAM // states)
        return {
            "BLOCK_N": states,
            "BLOCK_D": min(2 * LANES, channels, power_of_two(self.channels)),
        }

    def grid(self, pieces: int) -> tuple[int, int, int]:
        """Programs for all pieces of the tokens, all blocks of channels, and all images."""
        return pieces, -(-self.channels // self.block["BLOCK_D"]), self.batch

    @property
    def piece(self) -> int:
        """Tokens of a piece, so that all programs together fill the device."""
        pieces = max(1, programs_that_fill(self.device) // math.prod(self.grid(1)))
        return max(SHORTEST_PIECE, -(-self.length // pieces))

    @property
    def sizes(self) -> dict[str, int]:
        """Arguments that every kernel takes."""
        return {"length": self.length, "channels": self.channels, "states": self.states}

    @property
    def options(self) -> dict[str, Any]:
        """Which parts the scan has."""
        return {
            "BIAS": self.bias is not None,
            "SOFTPLUS": self.softplus,
            "SKIP": self.skip is not None,
            "GATE": self.z is not None,
        }


def programs_that_fill(device: torch.device) -> int:
    """One-warp programs that keep `device` busy; Triton's interpreter counts as one processor."""
    if device.type != "cuda":
        return PROGRAMS_PER_PROCESSOR
    processors: int = torch.cuda.get_device_properties(device).multi_processor_count
    return processors * PROGRAMS_PER_PROCESSOR
