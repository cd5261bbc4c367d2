"""The least time a network can take: bytes and operations counted, over rates measured here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.gpu.bench import DTYPES, Bench, dtype_name
from benchmarks.gpu.environment import largest_clock
from benchmarks.gpu.events import Row
from deblur_cli.inspection import work as counting

EXP_PER_CLOCK = 16
"""Exponentials per multiprocessor and clock, by NVIDIA's throughput table for 7.0 to 9.0."""


@dataclass(frozen=True)
class Ceilings:
    """What the device can do at best, per second."""

    bytes: float
    """Copied, counting those read and those written."""
    operations: Mapping[torch.dtype, float]
    """Of a matrix product; a multiply-add counts twice. float32 as TF32."""
    exponentials: float | None
    """By its data sheet; None if it has none."""


@dataclass
class Work:
    """What one forward pass cannot do without.

    Counted are convolutions, matrix products and scans; each reads its inputs and writes its output
    once. Norms, gates and sums are taken as fused into them, at no cost.
    """

    values: int = 0
    """Read and written, in numbers of the working precision."""
    operations: int = 0
    updates: int = 0

    def floor(self, ceilings: Ceilings, dtype: torch.dtype) -> tuple[float, str]:
        """Milliseconds below which no program gets, and what sets them."""
        times = {
            "bytes": self.values * dtype.itemsize / ceilings.bytes,
            "matmul": self.operations / ceilings.operations[dtype],
        }
        if ceilings.exponentials:
            times["exp"] = self.updates / ceilings.exponentials
        limit = max(times, key=times.__getitem__)
        return 1e3 * times[limit], limit


def measure_ceilings(bench: Bench) -> Ceilings:
    """Copy something large, multiply large random matrices."""
    sizes, device = bench.sizes, bench.device
    bandwidth = _copy_rate(bench)
    _record(bench, "copy", f"{sizes.copied >> 20} MiB", bandwidth / 1e9, "GB/s")
    rates = {dtype: _matmul_rate(bench, dtype) for dtype in DTYPES}
    for dtype, rate in rates.items():
        what = f"matmul, {dtype_name(dtype)}"
        _record(bench, what, f"{sizes.matmul}^3", rate / 1e12, "TFLOP/s")
    exponentials = _exponentials(device)
    if exponentials:
        _record(bench, "exp, by data sheet", "", exponentials / 1e12, "T/s")
    return Ceilings(bandwidth, rates, exponentials)


def _copy_rate(bench: Bench) -> float:
    source = torch.randn(bench.sizes.copied // 4, device=bench.device)
    target = torch.empty_like(source)
    time = bench.milliseconds(lambda: target.copy_(source))
    return 2 * bench.sizes.copied / time * 1e3


def _matmul_rate(bench: Bench, dtype: torch.dtype) -> float:
    side = bench.sizes.matmul
    a, b = (torch.randn(side, side, device=bench.device, dtype=dtype) for _ in range(2))
    with _tensor_float_32():
        time = bench.milliseconds(lambda: a @ b)
    return 2 * side**3 / time * 1e3


def _record(bench: Bench, what: str, size: str, rate: float, unit: str) -> None:
    bench.record(Row("Ceilings", {"what": what, "size": size, "rate": rate, "unit": unit}))


@contextmanager
def _tensor_float_32() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _exponentials(device: torch.device) -> float | None:
    if device.type != "cuda" or not (hertz := largest_clock(device)):
        return None
    multiprocessors = torch.cuda.get_device_properties(device).multi_processor_count
    return EXP_PER_CLOCK * multiprocessors * hertz


def count_work(config: Mapping[str, Any], size: tuple[int, int]) -> Work:
    """Count a forward pass of an ALGNet over one picture, without running it.

    Args:
        config: its layout.
        size: height and width in pixels.
    """
    traffic = _Traffic()
    with traffic:
        counted = counting.count_work("algnet", config, size, side_outputs=False)
    causal = sum(call.convolution for call in counted.calls)
    return Work(
        values=traffic.values + sum(map(_mamba_values, counted.calls)),
        operations=2 * (counted.macs - causal),
        updates=counted.updates,
    )


def _mamba_values(call: counting.MambaCall) -> int:
    """Read and written by projections, causal convolution and scan of one call."""
    mamba, inner = call.mamba, len(call.mamba.D)
    projections = [part for part in mamba.children() if isinstance(part, nn.Linear)]
    projected = sum(part.in_features + part.out_features for part in projections)
    convolved, scanned = 2 * inner, 4 * inner + 2 * mamba.state_size
    parameters = sum(part.weight.numel() for part in projections) + 2 * inner
    return parameters + call.tokens * (projected + convolved + scanned)


class _Traffic(TorchDispatchMode):
    """Adds up what convolutions and matrix products read and write."""

    COUNTED = ("convolution", "mm", "addmm", "bmm", "baddbmm")

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation of torch, and count it if it is one of `COUNTED`."""
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in self.COUNTED:
            self.values += _values([*args, result])
        return result


def _values(arguments: Sequence[Any]) -> int:
    return sum(x.numel() for x in arguments if isinstance(x, Tensor))
