"""One scan as both kernels see it: its tensors, its sizes, and how the work is divided."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deblur_cli.ops.cpu import threads
from deblur_cli.ops.cpu.layout import VIEW, channel_blocks, view
from deblur_cli.ops.cpu.recurrence import STATES
from deblur_cli.ops.cpu.vectors import LOG2_E, WIDTH
from deblur_cli.ops.layout import token_major

CHECKPOINT = 64
"""Tokens between two states that are kept for the gradient."""

_VIEWS = ("u", "delta", "B", "C", "z")
_NUMBERS = (
    "decay",
    "decay_bound",
    "skip",
    "bias",
    "softplus",
    "gated",
    "length",
    "channels",
    "blocks",
    "inner",
    "padded_inner",
    "groups",
)
PROBLEM_FIELDS = [
    *((name, VIEW) for name in _VIEWS),
    *((name, "i8") for name in _NUMBERS),
    *threads.DIVISION,
]
"""What the job of each kernel begins with; tensors without strides are given by address."""


@dataclass(frozen=True)
class Problem:
    """One scan; tensors are token-major, float32 or bfloat16.

    Attributes:
        u, delta, z: (B, L, D).
        B, C: (B, L, N).
        decay: A * log2(e), (blocks, N padded to a multiple of 8, 16 channels).
        decay_bound: largest magnitude of `decay` in each channel, (blocks, 16).
        skip, bias: D and delta_bias, padded to whole blocks of channels.
        softplus: whether `delta` goes through a softplus.
    """

    u: Tensor
    delta: Tensor
    B: Tensor
    C: Tensor
    z: Tensor | None
    decay: Tensor
    decay_bound: Tensor
    skip: Tensor
    bias: Tensor
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
        skip, bias = (_packed_vector(vector, u.shape[2]) for vector in (D, delta_bias))
        decay = channel_blocks(F.pad(A.float() * LOG2_E, (0, -A.shape[1] % STATES)))
        bound = decay.abs().amax(1)
        return cls(u, delta, B, C, z, decay, bound, skip, bias, softplus)

    @property
    def blocks(self) -> int:
        """Blocks of sixteen channels."""
        return self.decay.shape[0]

    @property
    def checkpoints(self) -> int:
        """States that are kept of each image."""
        return -(-self.u.shape[1] // CHECKPOINT)

    @property
    def state_shape(self) -> tuple[int, ...]:
        """Of the states of all channels of one image, or of their gradients."""
        return tuple(self.decay.shape)

    def groups(self, threads: int) -> int:
        """Groups of channel blocks, so that every thread has an image's group to work on."""
        return min(self.blocks, -(-threads // self.u.shape[0]))

    def weight_bytes(self, tokens: int) -> int:
        """Scratch memory for B, or C, of some tokens: rows of whole vectors."""
        return tokens * -(-self.B.shape[2] // WIDTH) * WIDTH * 4

    def fill(self, job: threads.Job) -> None:
        """Set the `PROBLEM_FIELDS` that do not depend on how the work is divided."""
        for name in ("u", "delta", "B", "C"):
            job[name] = view(getattr(self, name))
        if self.z is not None:
            job["z"] = view(self.z)
        job["gated"] = self.z is not None
        for name in ("decay", "decay_bound", "skip", "bias"):
            job[name] = getattr(self, name).data_ptr()
        job["softplus"] = self.softplus
        _, job["length"], job["channels"] = self.u.shape
        job["blocks"], job["padded_inner"], _ = self.decay.shape
        job["inner"] = self.B.shape[2]


def _packed_vector(vector: Tensor | None, channels: int) -> Tensor:
    return channel_blocks(torch.zeros(channels, 1) if vector is None else vector[:, None])
