"""Are the operators right on the device: values and all gradients against float64 on the CPU."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.gpu.backends import why_absent
from benchmarks.gpu.bench import DTYPES, Bench, dtype_name
from benchmarks.gpu.events import Skipped
from deblur_cli.ops import causal_conv1d_silu
from tests.ops.problems import (
    GRADIENT_TOLERANCE,
    VALUE_TOLERANCE,
    Scan,
    channel_major,
    random_scan,
    relative_error,
)

ALLOWANCE = 4.0
"""Times the CPU's tolerances: GPUs approximate exp and sum in another order every time."""

_NEGLIGIBLE = 1e-12
_NO_OPTIONS: frozenset[str] = frozenset()


def check_operators(bench: Bench, backend: str) -> None:
    """Check one back end with every awkward problem, the most telling first."""
    if reason := why_absent(backend, bench.device):
        bench.record(Skipped(f"operators of {backend}", reason))
        return
    _check_scans(bench, backend, usual_scans(), "reference")
    _check_convolutions(bench, backend)
    length = bench.sizes.long_scan
    long_scan = random_scan(channels=2, states=3, length=length)
    _check_scans(bench, backend, [(f"{length} tokens", long_scan)], "torch")
    _check_scans(bench, backend, awkward_scans(), "reference")


def _check_scans(bench: Bench, backend: str, scans: Iterable[tuple[str, Scan]], truth: str) -> None:
    """A kernel is compiled for each kind of scan: what there is no time for is on record."""
    for name, scan in scans:
        if bench.out_of_time(f"{backend}, scan, {name}, and what follows"):
            return
        bench.check(
            f"scan of {backend}",
            name,
            functools.partial(share_of_tolerance, scan, backend, bench.device, truth),
            ALLOWANCE,
        )


def usual_scans() -> Iterator[tuple[str, Scan]]:
    """What networks ask for, by name."""
    for dtype in DTYPES:
        scan = random_scan(batch=2, channels=40, length=300, states=32, dtype=dtype)
        yield f"as in the network, {dtype_name(dtype)}", scan
        yield f"columns of a wider projection, {dtype_name(dtype)}", in_wider_rows(scan)


def awkward_scans() -> Iterator[tuple[str, Scan]]:
    """Scans that have something special about them, by what it is."""
    yield "channel-major", random_scan(channels=24, length=200, layout=channel_major)
    yield "one of each", random_scan(channels=1, length=1, states=1)
    yield "many tokens", random_scan(channels=8, length=1500, states=8)
    yield "many channels and states", random_scan(channels=272, length=70, states=64)
    yield "decays that underflow", _underflowing()
    yield "one row for all images", _shared_rows()
    yield "no options", random_scan(options=_NO_OPTIONS, softplus=False, length=100)
    for option in ("D", "z", "delta_bias"):
        yield f"only {option}", random_scan(options=frozenset({option}), length=100)
    for states in (2, 3, 5, 16, 31, 33):
        yield f"{states} states", random_scan(channels=20, length=70, states=states)
    for length in (2, 31, 33, 64, 65, 128, 257, 1025):
        yield f"{length} tokens", random_scan(channels=5, length=length)
    for channels in (3, 33, 129):
        yield f"{channels} channels", random_scan(batch=3, channels=channels, length=100)


def in_wider_rows(scan: Scan) -> Scan:
    """The same scan with every sequence stored as some columns of wider token-major rows."""

    def embedded(x: Tensor) -> Tensor:
        batch, channels, length = x.shape
        wide = x.new_full((batch, length, channels + 5), torch.nan)
        columns = wide[..., 3 : 3 + channels].transpose(1, 2)
        return columns.copy_(x)

    tensors = {name: embedded(x) if x.dim() == 3 else x for name, x in scan.tensors.items()}
    return replace(scan, tensors=tensors)


def _underflowing() -> Scan:
    scan = random_scan(channels=20, length=150, states=16)
    scan.tensors["A"] *= torch.logspace(-2, 3, 16)
    return scan


def _shared_rows() -> Scan:
    scan = random_scan(channels=16, length=30)
    for name in ("u", "delta", "B", "C", "z"):
        scan.tensors[name] = scan.tensors[name].expand(3, -1, -1)
    return scan


def share_of_tolerance(scan: Scan, backend: str, device: torch.device, truth: str) -> float:
    """The largest error of output and gradients, each relative to what a CPU is allowed."""
    on_device = replace(scan, tensors={name: moved(x, device) for name, x in scan.tensors.items()})
    y, gradients = on_device.gradients(backend)
    true_y, true_gradients = scan.to(torch.float64).gradients(truth)
    dtype = scan.tensors["u"].dtype
    shares = [relative_error(y.cpu(), true_y) / VALUE_TOLERANCE[dtype]]
    for name, true_gradient in true_gradients.items():
        if true_gradient.abs().max() > _NEGLIGIBLE:
            error = relative_error(gradients[name].cpu(), true_gradient)
            shares.append(error / GRADIENT_TOLERANCE[dtype])
    return _largest(shares)


def moved(x: Tensor, device: torch.device) -> Tensor:
    """`x` on `device` with the strides it has, gaps between its elements included."""
    elements = x.untyped_storage().nbytes() // x.element_size()
    memory = x.as_strided((elements,), (1,), 0).to(device)
    return memory.as_strided(x.shape, x.stride(), x.storage_offset())


def _check_convolutions(bench: Bench, backend: str) -> None:
    for taps, channels, length in ((4, 40, 300), (4, 3, 1), (3, 129, 65), (2, 16, 1025)):
        for dtype in DTYPES:
            bench.check(
                f"causal convolution of {backend}",
                f"{taps} taps, {channels} channels, {length} tokens, {dtype_name(dtype)}",
                functools.partial(
                    _convolution_error, taps, channels, length, dtype, backend, bench.device
                ),
                ALLOWANCE,
            )


def _convolution_error(
    taps: int, channels: int, length: int, dtype: torch.dtype, backend: str, device: torch.device
) -> float:
    """As `share_of_tolerance`."""
    generator = torch.Generator().manual_seed(taps + channels + length)
    rows = torch.randn(2, length, channels + 5, generator=generator).to(dtype)
    inputs = [
        rows[..., 3 : 3 + channels].transpose(1, 2),
        torch.randn(channels, taps, generator=generator).to(dtype),
        torch.randn(channels, generator=generator).to(dtype),
    ]
    found = _values_and_gradients([moved(x, device) for x in inputs], backend)
    truth = _values_and_gradients([x.double() for x in inputs], "reference")
    tolerances = (VALUE_TOLERANCE[dtype], *(GRADIENT_TOLERANCE[dtype],) * len(inputs))
    return _largest(
        relative_error(mine.cpu(), true) / tolerance
        for mine, true, tolerance in zip(found, truth, tolerances, strict=True)
    )


def _largest(shares: Iterable[float]) -> float:
    """The maximum, NaN if there is one."""
    return float(torch.tensor(list(shares)).max())


def _values_and_gradients(inputs: list[Tensor], backend: str) -> list[Tensor]:
    leaves = [x.detach().requires_grad_() for x in inputs]
    x, weight, bias = leaves
    y = causal_conv1d_silu(x, weight, bias, backend)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y.device)
    return [y.detach(), *torch.autograd.grad((y.double() * weights).sum(), leaves)]
