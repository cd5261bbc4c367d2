"""The Mamba module: a gated selective state-space layer over a sequence of tokens."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from deblur_cli.models.layers import project
from deblur_cli.ops import causal_conv1d_silu, selective_scan

DT_MIN, DT_MAX, DT_FLOOR = 1e-3, 1e-1, 1e-4


class Mamba(nn.Module):
    """Mamba-1 with mamba-ssm's parameter names, initial values and results (Gu & Dao 2023, 3.4).

    Args:
        channels: token width C.
        state_size: states per inner channel, N.
        conv_size: taps of the causal convolution, K.
        expand: inner channels per token channel.
    """

    def __init__(
        self, channels: int, state_size: int = 16, conv_size: int = 4, expand: int = 2
    ) -> None:
        super().__init__()
        inner = expand * channels
        self.state_size = state_size
        self.dt_rank = math.ceil(channels / 16)
        self.in_proj = nn.Linear(channels, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, conv_size, groups=inner, padding=conv_size - 1)
        self.x_proj = nn.Linear(inner, self.dt_rank + 2 * state_size, bias=False)
        self.dt_proj = nn.Linear(self.dt_rank, inner)
        self._initialise_dt()
        self.A_log = nn.Parameter(torch.arange(1, state_size + 1).float().log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, channels, bias=False)

    @torch.no_grad()
    def _initialise_dt(self) -> None:
        """Start with steps log-uniform in [DT_MIN, DT_MAX]; the bias is their inverse softplus."""
        bound = self.dt_rank**-0.5
        self.dt_proj.weight.uniform_(-bound, bound)
        log_span = math.log(DT_MAX) - math.log(DT_MIN)
        dt = torch.exp(torch.rand(self.dt_proj.out_features) * log_span + math.log(DT_MIN)).clamp(
            min=DT_FLOOR
        )
        self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))

    def forward(self, tokens: Tensor, scale: Tensor | None = None) -> Tensor:
        """Map tokens `(B,L,C)` to `(B,L,C)`.

        Args:
            tokens: the sequence, in any floating dtype.
            scale: `(C,)` factors of the output channels, folded into the last projection.
        """
        x, z = project(tokens, self.in_proj.weight).transpose(1, 2).chunk(2, dim=1)
        x = causal_conv1d_silu(x, self.conv1d.weight[:, 0], cast(Tensor, self.conv1d.bias))
        dt_B_C = project(x.transpose(1, 2), self.x_proj.weight)
        B, C = dt_B_C[..., self.dt_rank :].transpose(1, 2).chunk(2, dim=1)
        y = selective_scan(
            x,
            project(dt_B_C[..., : self.dt_rank], self.dt_proj.weight).transpose(1, 2),
            -torch.exp(self.A_log),
            B,
            C,
            self.D,
            z,
            self.dt_proj.bias,
            delta_softplus=True,
        )
        weight = self.out_proj.weight
        if scale is not None:
            weight = weight * scale[:, None].to(weight.dtype)
        return project(y.transpose(1, 2), weight)
