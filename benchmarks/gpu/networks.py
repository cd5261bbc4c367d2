"""Networks with random parameters in which every part takes part."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from deblur_cli.models import RestorationModel, create_model

SMALL: Mapping[str, Any] = {
    "width": 16,
    "encoder_blocks": (1, 2),
    "middle_blocks": 1,
    "decoder_blocks": (1, 1),
    "state_size": 16,
}


def random_network(device: torch.device, seed: int = 0, **config: Any) -> RestorationModel:
    """An ALGNet in evaluation mode, float32, whose residual is small beside a picture.

    As initialised every block is the identity: the scales that are zero at first get values here.
    """
    torch.manual_seed(seed)
    with torch.device(device), torch.no_grad():
        model = create_model("algnet", **config)
        for parameter in model.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.2)
        for values in model.network.get_submodule("ending").parameters():
            values.mul_(0.02)
    return model.eval()


def in_precision(model: RestorationModel, dtype: torch.dtype) -> RestorationModel:
    """A copy whose convolutions and projections run in `dtype`, channels last."""
    rounded = copy.deepcopy(model)
    if dtype != torch.float32:
        rounded.set_precision(dtype)
    placed: RestorationModel = rounded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def random_frames(device: torch.device, *shape: int) -> Tensor:
    """Noise in [0,1], `(B,3,H,W)` channels last, the same on every device."""
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return values.to(device, memory_format=torch.channels_last)
