"""The state-space operators of the networks: one signature each, several back ends."""

from __future__ import annotations

from deblur_cli.ops.backends import Choice, resolve_backend
from deblur_cli.ops.conv import causal_conv1d_silu
from deblur_cli.ops.scan import selective_scan

__all__ = ["Choice", "causal_conv1d_silu", "resolve_backend", "selective_scan"]
