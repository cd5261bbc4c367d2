"""What a tile costs in memory."""

from __future__ import annotations

import torch

from deblur_cli.models import RestorationModel
from deblur_cli.models.footprint import LiveTensors

__all__ = ["SAFETY", "LiveTensors", "bytes_per_pixel"]

SAFETY = 1.5
"""Allowance for workspaces inside torch's functions, which nobody sees, and for fragmentation."""


def bytes_per_pixel(model: RestorationModel, device: torch.device) -> float:
    """Bytes to set aside for each pixel that goes through the network at a time.

    Args:
        model: in working precision and with its local pooling set, on `device`.
        device: where it lies.
    """
    return SAFETY * model.descriptor.memory_per_megapixel(model.precision, device) / 1e6
