"""Choosing the device a network runs on."""

from __future__ import annotations

import torch

from deblur_cli.errors import DeviceError


def resolve_device(requested: str) -> torch.device:
    """`auto` (the first CUDA GPU, else the CPU), `cpu`, `cuda`, `cuda:1`, or `mps`.

    Raises:
        DeviceError: no such device, or it is not present here.
    """
    if requested == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(requested)
    except RuntimeError:
        raise DeviceError(
            f"there is no device called '{requested}'", remedy="use auto, cpu, cuda, cuda:N or mps"
        ) from None
    if not _present(device):
        raise DeviceError(
            f"the device '{requested}' is not present here",
            remedy="use --device auto",
        )
    return device


def _present(device: torch.device) -> bool:
    match device.type:
        case "cpu":
            return True
        case "cuda":
            return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
        case "mps":
            return torch.backends.mps.is_available()
    return False
