"""A layout of every network that is small enough for a test."""

from __future__ import annotations

from typing import Any

_STAGES = {"width": 8, "unet_step": 4, "full_resolution_step": 4, "attention_blocks": 1}
SMALL: dict[str, dict[str, Any]] = {
    "algnet": {"width": 8, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1), "state_size": 8},
    "xyscannet": {"width": 8, "blocks": (1, 1, 1)},
    "nafnet": {"width": 8, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1)},
    "mprnet": _STAGES,
    "fcn": _STAGES,
    "maxim": {
        "features": 8,
        "stages": 2,
        "groups": 1,
        "bottleneck_blocks": 1,
        "block_hr": 4,
        "block_lr": 1,
    },
}
