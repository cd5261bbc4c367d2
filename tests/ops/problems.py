"""Random scans and convolutions in any layout, and how values and gradients are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from deblur_cli.ops import causal_conv1d_silu, selective_scan

VALUE_TOLERANCE = {torch.float32: 1e-6, torch.bfloat16: 2**-7, torch.float16: 1e-3}
"""Of the largest magnitude; Triton's interpreter cuts bfloat16 off where others round it."""
GRADIENT_TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1.5e-2, torch.float16: 2e-3}
"""Of the largest magnitude; sums over all tokens may cancel, so gradients have less to go by."""


@dataclass(frozen=True)
class Scan:
    """The arguments of one selective scan."""

    tensors: dict[str, Tensor]
    softplus: bool

    def run(self, backend: str | None) -> Tensor:
        return selective_scan(**self.tensors, delta_softplus=self.softplus, backend=backend)

    def gradients(self, backend: str | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Output, and the gradients of a fixed random functional of it, exact in every dtype."""
        leaves = {name: x.detach().requires_grad_() for name, x in self.tensors.items()}
        y = replace(self, tensors=leaves).run(backend)
        weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).bfloat16()
        loss = (y.double() * weights.to(y.device)).sum()
        return y.detach(), dict(
            zip(leaves, torch.autograd.grad(loss, leaves.values()), strict=True)
        )

    def to(self, dtype: torch.dtype) -> Scan:
        return replace(self, tensors={name: x.to(dtype) for name, x in self.tensors.items()})


def token_major(batch: int, channels: int, length: int, generator: torch.Generator) -> Tensor:
    """(B, D, L) as a view of some columns of a wider token-major projection."""
    wide = torch.randn(batch, length, channels + 5, generator=generator)
    return wide[..., 3 : 3 + channels].transpose(1, 2)


def channel_major(batch: int, channels: int, length: int, generator: torch.Generator) -> Tensor:
    """(B, D, L) in contiguous memory."""
    return torch.randn(batch, channels, length, generator=generator)


def random_scan(
    *,
    batch: int = 1,
    channels: int = 16,
    length: int = 10,
    states: int = 8,
    options: frozenset[str] = frozenset({"D", "z", "delta_bias"}),
    softplus: bool = True,
    dtype: torch.dtype = torch.float32,
    layout: object = token_major,
    seed: int = 0,
) -> Scan:
    """Decays and steps as a trained network has them; u, delta, B, C and z in `dtype`."""
    generator = torch.Generator().manual_seed(seed)
    make = token_major if layout is token_major else channel_major
    tensors = {
        "u": make(batch, channels, length, generator).to(dtype),
        "delta": make(batch, channels, length, generator).to(dtype),
        "A": -torch.rand(channels, states, generator=generator) * states,
        "B": make(batch, states, length, generator).to(dtype),
        "C": make(batch, states, length, generator).to(dtype),
    }
    if not softplus:
        tensors["delta"] = tensors["delta"].abs() * 0.1
    if "D" in options:
        tensors["D"] = torch.randn(channels, generator=generator)
    if "z" in options:
        tensors["z"] = make(batch, channels, length, generator).to(dtype)
    if "delta_bias" in options:
        low = -3.0 if softplus else 0.1
        tensors["delta_bias"] = low + torch.rand(channels, generator=generator)
    return Scan(tensors, softplus)


def relative_error(found: Tensor, truth: Tensor) -> float:
    """Largest difference over the largest magnitude."""
    scale = truth.double().abs().max().clamp_min(1e-30)
    return float((found.double() - truth.double()).abs().max() / scale)


def assert_agrees(scan: Scan, backend: str | None) -> None:
    """Values and all gradients against the sequential recurrence in float64."""
    dtype = scan.tensors["u"].dtype
    y, gradients = scan.gradients(backend)
    true_y, true_gradients = scan.to(torch.float64).gradients("reference")
    assert y.dtype == dtype
    assert relative_error(y, true_y) < VALUE_TOLERANCE[dtype]
    for name, gradient in gradients.items():
        assert gradient.dtype == scan.tensors[name].dtype
        magnitude = true_gradients[name].abs().max()
        if magnitude > 1e-12:
            error = relative_error(gradient, true_gradients[name])
            assert error < GRADIENT_TOLERANCE[dtype], f"{name}: {error:.1e}"


def assert_convolution_agrees(
    backend: str,
    batch: int,
    channels: int,
    length: int,
    taps: int,
    layout: object,
    dtype: torch.dtype,
) -> None:
    """Values and all gradients against the reference in float64."""
    generator = torch.Generator().manual_seed(length)
    make = token_major if layout is token_major else channel_major
    inputs = (
        make(batch, channels, length, generator).to(dtype),
        torch.randn(channels, taps, generator=generator),
        torch.randn(channels, generator=generator),
    )
    found = _convolved(inputs, backend)
    truth = _convolved(tuple(x.double() for x in inputs), "reference")
    assert found[0].dtype == dtype
    assert relative_error(found[0], truth[0]) < VALUE_TOLERANCE[dtype]
    for gradient, true_gradient, tensor in zip(found[1:], truth[1:], inputs, strict=True):
        assert gradient.dtype == tensor.dtype
        assert relative_error(gradient, true_gradient) < GRADIENT_TOLERANCE[dtype]


def _convolved(inputs: tuple[Tensor, ...], backend: str) -> tuple[Tensor, ...]:
    """Output, and the gradients of a fixed random functional of it."""
    x, weight, bias = (tensor.detach().requires_grad_() for tensor in inputs)
    y = causal_conv1d_silu(x, weight, bias, backend=backend)
    factors = torch.randn(y.shape, generator=torch.Generator().manual_seed(2))
    loss = (y.double() * factors).sum()
    return (y.detach(), *torch.autograd.grad(loss, (x, weight, bias)))
