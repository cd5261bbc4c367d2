"""How MAXIM's parameters begin when it is trained from scratch."""

from __future__ import annotations

import math

import torch
from torch import nn

from deblur_cli.models.maxim_blocks import Gate, MultiAxisBlock, ProjectedAttention, TokenMixing

SMALL = 0.02
"""Standard deviation of the linear maps inside multi-axis blocks and of all that mix tokens."""


@torch.no_grad()
def initialise(network: nn.Module) -> None:
    """LeCun's normal weights, smaller ones inside blocks; zero biases, but ones in gates."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=1 / math.sqrt(_fan_in(module)))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, MultiAxisBlock | ProjectedAttention | TokenMixing):
            for linear in module.modules():
                if isinstance(linear, nn.Linear):
                    nn.init.normal_(linear.weight, std=SMALL)
        elif isinstance(module, Gate):
            nn.init.ones_(module.grid_gate.bias)
            nn.init.ones_(module.block_gate.bias)


def _fan_in(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> int:
    """Inputs that meet in one output; of a transposed convolution whose stride is its size too."""
    return layer.in_channels if isinstance(layer, nn.ConvTranspose2d) else layer.weight[0].numel()
