"""Back end `triton`: kernels for GPUs that split batch, channels and tokens, forward and backward.

A scan goes over the tokens in pieces that run side by side. `pieces` finds the state in which each
begins; `forward` and `backward` then run through all pieces at once.
"""

from __future__ import annotations

from deblur_cli.ops.triton.functions import causal_conv1d_silu, selective_scan

__all__ = ["causal_conv1d_silu", "selective_scan"]
