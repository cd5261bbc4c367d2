"""Choosing the devices a network runs on, and finding out whether one still works."""

from __future__ import annotations

import torch

from deblur_cli.errors import DeviceError, UsageError

ALL = "all"


def resolve_device(requested: str) -> torch.device:
    """`auto` (the first CUDA GPU, else the CPU), `cpu`, `cuda`, `cuda:1`, or `mps`.

    `auto` never is `mps`: the scan runs in plain torch there, and compiled on the CPU.

    Raises:
        DeviceError: no such device, or it is not present here.
        UsageError: several devices, as `resolve_devices` takes them.
    """
    if requested == ALL or "," in requested:
        raise UsageError(
            f"'{requested}' stands for several devices, and only one can be used here",
            remedy="name one, such as cuda:0",
        )
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


def resolve_devices(requested: str) -> tuple[torch.device, ...]:
    """One device as in `resolve_device`, several with commas between them, or `all` CUDA GPUs.

    Raises:
        DeviceError: one of them is not present here, or `all` and there is no CUDA GPU.
        UsageError: a device is named twice.
    """
    if requested == ALL:
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not count:
            raise DeviceError("there is no CUDA GPU here", remedy="use --device auto")
        return tuple(torch.device("cuda", index) for index in range(count))
    devices = tuple(resolve_device(name.strip()) for name in requested.split(","))
    if len({_canonical(device) for device in devices}) < len(devices):
        raise UsageError(f"'{requested}' names a device twice", remedy="name each one once")
    return devices


def still_works(name: str) -> bool:
    """Whether a device computes; after some faults, such as an illegal memory access, none does.

    Args:
        name: as of a `torch.device`.
    """
    try:
        return torch.ones(2, device=name).sum().item() == 2
    except torch.OutOfMemoryError:
        return True
    except RuntimeError:
        return False


def _canonical(device: torch.device) -> tuple[str, int]:
    """Type and number; one without a number is the first, and there is only one CPU."""
    return device.type, 0 if device.type == "cpu" else device.index or 0


def _present(device: torch.device) -> bool:
    match device.type:
        case "cpu":
            return True
        case "cuda":
            return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
        case "mps":
            return torch.backends.mps.is_available()
    return False
