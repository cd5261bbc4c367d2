"""Back end `cpu`: compiled kernels for every x86 and ARM processor, forward and backward."""

from __future__ import annotations

from deblur_cli.ops.cpu.functions import causal_conv1d_silu, selective_scan

__all__ = ["causal_conv1d_silu", "selective_scan"]
