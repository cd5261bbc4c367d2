"""The devices of this machine, and what the program would do on each."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from deblur_cli.checkpoints.load import load_weights
from deblur_cli.checkpoints.resolve import resolve_weights
from deblur_cli.diagnosis.failures import described
from deblur_cli.errors import DeblurError
from deblur_cli.inference.free_memory import free_memory
from deblur_cli.inference.precision import choose_dtype, cpu_has_bfloat16, dtype_name
from deblur_cli.ops.backends import resolve_backend, slow_backend_warning

_FLAGS = (
    "avx2",
    "avx512f",
    "avx512_bf16",
    "amx_bf16",
    "asimd",
    "sve",
    "bf16",
)
"""What /proc/cpuinfo calls the vector instructions that matter here."""


@dataclass(frozen=True)
class Device:
    """One device; what could not be found out is empty, and `failure` says why."""

    name: str
    """As `--device` takes it."""
    hardware: str = ""
    capability: str = ""
    """Cores and vector instructions, or the compute capability."""
    free_bytes: int | None = None
    total_bytes: int | None = None
    dtype: str = ""
    """What `--dtype auto` becomes."""
    dtype_reason: str = ""
    backend: str = ""
    """Of the scan."""
    backend_source: str = ""
    backend_reason: str = ""
    warning: str = ""
    failure: str = ""


def find_devices(task: str) -> list[Device]:
    """All devices, the CPU first; `dtype` is chosen for the default network of `task`."""
    names = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [_examined(Device(name), task) for name in names]


def _examined(device: Device, task: str) -> Device:
    failures: list[str] = []
    for examine in (_with_hardware, _with_backend, _with_dtype):
        try:
            device = examine(device, task)
        except Exception as error:  # drivers fail in ways of their own
            failures.append(described(error))
    return replace(device, failure="; ".join(dict.fromkeys(failures)))


def _with_hardware(device: Device, _task: str) -> Device:
    place = torch.device(device.name)
    if place.type == "cuda":
        properties = torch.cuda.get_device_properties(place)
        return replace(
            device,
            hardware=properties.name,
            capability=f"compute capability {properties.major}.{properties.minor}",
            free_bytes=free_memory(place),
            total_bytes=properties.total_memory,
        )
    if place.type == "mps":
        return replace(device, hardware=platform.processor(), free_bytes=free_memory(place))
    fields = _cpuinfo(Path("/proc/cpuinfo"))
    present = fields.get("flags", fields.get("Features", "")).split()
    flags = " ".join(flag for flag in _FLAGS if flag in present)
    return replace(
        device,
        hardware=fields.get("model name") or platform.processor() or platform.machine(),
        capability=f"{torch.get_num_threads()} threads on {os.cpu_count()} cores; {flags}",
        free_bytes=free_memory(place),
    )


def _cpuinfo(path: Path) -> dict[str, str]:
    """Fields of the first core; none where Linux cannot be asked."""
    if not path.exists():
        return {}
    first, *_ = path.read_text().split("\n\n")
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def _with_backend(device: Device, _task: str) -> Device:
    place = torch.device(device.name)
    name, source, reason = resolve_backend(None, place)
    return replace(
        device,
        backend=name,
        backend_source=source,
        backend_reason=reason,
        warning=slow_backend_warning(place) or "",
    )


def _with_dtype(device: Device, task: str) -> Device:
    place = torch.device(device.name)
    try:
        model = load_weights(resolve_weights(task, offline=True))
    except DeblurError:
        return replace(device, dtype_reason="no weights to choose it for")
    dtype = choose_dtype("auto", place, model)
    return replace(device, dtype=dtype_name(dtype), dtype_reason=_dtype_reason(device, dtype))


def _dtype_reason(device: Device, dtype: torch.dtype) -> str:
    kind = torch.device(device.name).type
    if kind == "cuda":
        return device.capability
    if kind == "mps":
        return "half precision is not tried there"
    if not cpu_has_bfloat16():
        return "this CPU does not multiply bfloat16 natively"
    if dtype == torch.bfloat16:
        return "native, and the network is faster in it than in float32"
    return "bfloat16 is native, but the network is not faster in it"
