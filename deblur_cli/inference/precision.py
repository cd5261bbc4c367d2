"""Which number format a network's convolutions and projections run in."""

from __future__ import annotations

import copy
import time
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F

from deblur_cli.errors import DeviceError, UsageError
from deblur_cli.models import RestorationModel

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

WORTHWHILE = 1.1
"""bfloat16 is chosen on a CPU if it is at least this many times as fast as float32."""

_PROBE_SIDE = 128
_PROBE_RUNS = 4
_CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}


def choose_dtype(requested: str, device: torch.device, model: RestorationModel) -> torch.dtype:
    """Turn `auto`, `float32`, `bfloat16` or `float16` into a dtype that works on `device`.

    `auto` is float32 on a CPU, or bfloat16 where the CPU has it natively and the model, timed on a
    small tile, is faster in it; on a CUDA GPU bfloat16 from compute capability 8.0, float16 from
    7.0; float32 elsewhere, and where the network may not run in the other.

    Args:
        requested: as in `--dtype`.
        device: where the network will run.
        model: in float32; left unchanged.

    Raises:
        UsageError: no such dtype, or not for this network.
        DeviceError: the device cannot compute in it.
    """
    if requested == "auto":
        return _automatic(device, model)
    if requested not in DTYPES:
        raise UsageError(f"unknown dtype '{requested}'", remedy=f"auto, {', '.join(DTYPES)}")
    dtype = DTYPES[requested]
    described = model.descriptor
    if dtype != torch.float32 and dtype not in described.half_precision:
        raise UsageError(f"{described.name} does not run in {requested}", remedy="use --dtype auto")
    if not _computes(device, dtype):
        raise DeviceError(
            f"the device '{device}' cannot compute in {requested}", remedy="use --dtype auto"
        )
    return dtype


def dtype_name(dtype: torch.dtype) -> str:
    """`float32` for `torch.float32`."""
    return str(dtype).removeprefix("torch.")


def _automatic(device: torch.device, model: RestorationModel) -> torch.dtype:
    fast = _fast_dtype(device)
    if fast not in model.descriptor.half_precision:
        return torch.float32
    if device.type == "cpu" and not _bfloat16_pays(model):
        return torch.float32
    return fast


def _fast_dtype(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        if capability >= (8, 0):
            return torch.bfloat16
        return torch.float16 if capability >= (7, 0) else torch.float32
    return torch.bfloat16 if device.type == "cpu" and cpu_has_bfloat16() else torch.float32


@cache
def cpu_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU multiplies bfloat16 natively; False where Linux cannot be asked."""
    if not cpuinfo.exists():
        return False
    return not _CPU_FLAGS.isdisjoint(cpuinfo.read_text().split())


@torch.inference_mode()
def _bfloat16_pays(model: RestorationModel) -> bool:
    """Compare one thread's CPU time, run by run in turn: a busy machine slows both alike."""
    rounded = copy.deepcopy(model)
    rounded.set_precision(torch.bfloat16)
    x = torch.full((1, 3, _PROBE_SIDE, _PROBE_SIDE), 0.5).to(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        pairs = [(_seconds(model, x), _seconds(rounded, x)) for _ in range(_PROBE_RUNS + 1)]
    finally:
        torch.set_num_threads(threads)
    exact = min(seconds for seconds, _ in pairs[1:])
    return exact > WORTHWHILE * min(seconds for _, seconds in pairs[1:])


def _seconds(model: RestorationModel, x: torch.Tensor) -> float:
    started = time.thread_time()
    model(x)
    return time.thread_time() - started


def _computes(device: torch.device, dtype: torch.dtype) -> bool:
    try:
        x = torch.ones((1, 4, 4, 4), device=device, dtype=dtype)
        F.conv2d(x, x)
        F.linear(x, x[0, 0])
    except (RuntimeError, TypeError):
        return False
    return True
