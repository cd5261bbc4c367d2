"""Stand-ins for mamba-ssm's packages, as picky about memory and dtypes as its CUDA extensions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from deblur_cli.ops import reference
from deblur_cli.ops.backends import probe

PACKAGES = ("triton", "mamba_ssm", "causal_conv1d", "kernels", "numba")
HALVES_AND_FLOAT = (torch.float32, torch.float16, torch.bfloat16)
VECTOR_BYTES = 16


def only(monkeypatch: pytest.MonkeyPatch, *present: str) -> None:
    """Of the packages that back ends need, let exactly these be found."""
    for name in PACKAGES:
        monkeypatch.setitem(sys.modules, name, None)
    for name in present:
        install(monkeypatch, name)
    probe.cache_clear()


def install(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    """Let a module of this name be found, holding `content`."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    module.__dict__.update(content)
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "deblur_cli.ops.mamba_ssm", raising=False)


def install_mamba(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The package mamba_ssm with its scan alone; returns the list of calls to come."""
    only(monkeypatch, "mamba_ssm", "mamba_ssm.ops")
    calls: list[str] = []
    scan = recorded(calls, selective_scan_fn)
    name = "mamba_ssm.ops.selective_scan_interface"
    install(monkeypatch, name, selective_scan_fn=scan)
    return calls


def install_convolution(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The package causal_conv1d; returns the list of calls to come."""
    calls: list[str] = []
    convolution = recorded(calls, causal_conv1d_fn)
    install(monkeypatch, "causal_conv1d", causal_conv1d_fn=convolution)
    return calls


def recorded(calls: list[str], function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`function`, noting its calls by name."""

    def call(*arguments: Any, **named: Any) -> Tensor:
        calls.append(function.__name__)
        return function(*arguments, **named)

    return call


def selective_scan_fn(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    return_last_state: bool = False,
) -> Tensor:
    """mamba-ssm's signature and conditions; computed in float64."""
    assert u.dtype in HALVES_AND_FLOAT
    assert A.shape[1] <= 256
    for tensor in (u, delta, B, C, z):
        assert tensor is None or (tensor.dtype == u.dtype and readable_in_vectors(tensor))
    for tensor in (A, D, delta_bias):
        assert tensor is None or (tensor.dtype == torch.float32 and tensor.stride(-1) == 1)
    assert not return_last_state
    result: Tensor = _Scan.apply(u, delta, A, B, C, D, z, delta_bias, delta_softplus)
    return result


def causal_conv1d_fn(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, activation: str | None = None
) -> Tensor:
    """causal_conv1d's signature and conditions; computed in float64."""
    assert activation == "silu"
    assert bias is not None
    assert x.dtype in HALVES_AND_FLOAT
    assert weight.dtype == bias.dtype
    assert weight.dtype in HALVES_AND_FLOAT
    assert 2 <= weight.shape[1] <= 4
    assert x.stride(2) == 1
    assert bias.stride(0) == 1
    assert readable_in_vectors(x)
    y = reference.causal_conv1d_silu(x.double(), weight.double(), bias.double())
    return y.to(x.dtype)


def readable_in_vectors(tensor: Tensor) -> bool:
    """Whether rows whose length allows it start where a vector can be read; last stride 1."""
    size = tensor.element_size()
    if tensor.stride(-1) != 1:
        return False
    if tensor.shape[-1] * size % VECTOR_BYTES:
        return True
    steps = [s * size for n, s in zip(tensor.shape, tensor.stride(), strict=True) if n > 1]
    return not any(start % VECTOR_BYTES for start in (tensor.data_ptr(), *steps[:-1]))


class _Scan(torch.autograd.Function):
    """As the extension: rows of gradients as of inputs, but those of B and C in float32."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        *tensors, ctx.softplus = arguments
        ctx.save_for_backward(*tensors)
        y = reference.selective_scan(*_doubled(tensors), ctx.softplus)
        return y.to(tensors[0].dtype)

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        assert grad_y.dtype == tensors[0].dtype
        leaves = [None if x is None else x.requires_grad_() for x in _doubled(tensors)]
        present = [x for x in leaves if x is not None]
        with torch.enable_grad():
            y = reference.selective_scan(*leaves, ctx.softplus)  # type: ignore[arg-type]
        found = iter(torch.autograd.grad(y, present, grad_y.double()))
        gradients = [None if x is None else next(found).to(x.dtype) for x in tensors]
        for index in (3, 4):
            gradients[index] = gradients[index].float()  # type: ignore[union-attr]
        return (*gradients, None)


def _doubled(tensors: Any) -> list[Any]:
    return [None if x is None else x.detach().double() for x in tensors]
