"""Scan back ends on a small random input, against float64."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from deblur_cli.diagnosis.failures import described
from deblur_cli.ops import causal_conv1d_silu, selective_scan

VALUE_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4
"""Largest difference over the largest magnitude, in float32; sums over all tokens may cancel, so
gradients have less to go by."""

_CHANNELS, _TOKENS, _STATES, _TAPS = 16, 256, 16, 4
_TIMED_RUNS, _TIMED_SECONDS = 3, 1.0

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Comparison:
    """How one operator of one back end did on one device."""

    device: str
    backend: str
    operator: str
    value_error: float = math.nan
    gradient_error: float = math.nan
    """The worst of all inputs' gradients."""
    milliseconds: float = math.nan
    """Of the values alone; information, not a benchmark."""
    failure: str = ""
    """Why it did not run at all."""

    @property
    def agrees(self) -> bool:
        """Whether it ran and both errors are within their tolerance."""
        values, gradients = self.value_error, self.gradient_error
        within = values <= VALUE_TOLERANCE and gradients <= GRADIENT_TOLERANCE
        return within and not self.failure


@dataclass(frozen=True)
class Operator:
    """One operator, and a problem for it in float32 on the CPU."""

    name: str
    run: Callable[[Tensors, str], Tensor]
    inputs: Tensors


def compare_backends(backends: Iterable[str], device: torch.device) -> Iterator[Comparison]:
    """Both operators of each of these back ends on `device`."""
    operators = [(operator, _truth(operator)) for operator in (_scan(), _convolution())]
    for backend in backends:
        for operator, truth in operators:
            yield _compared(operator, truth, backend, device)


def _compared(
    operator: Operator, truth: tuple[Tensor, Tensors], backend: str, device: torch.device
) -> Comparison:
    place = (str(device), backend, operator.name)
    try:
        inputs = {name: tensor.to(device) for name, tensor in operator.inputs.items()}
        y, gradients = _value_and_gradients(operator, inputs, backend)
        return Comparison(
            *place,
            value_error=_relative_error(y, truth[0]),
            gradient_error=max(_relative_error(gradients[name], truth[1][name]) for name in inputs),
            milliseconds=_milliseconds(operator, inputs, backend),
        )
    except Exception as error:  # a broken back end is what is looked for
        return Comparison(*place, failure=described(error))


def _truth(operator: Operator) -> tuple[Tensor, Tensors]:
    exact = {name: tensor.double() for name, tensor in operator.inputs.items()}
    return _value_and_gradients(operator, exact, "reference")


def _value_and_gradients(
    operator: Operator, inputs: Tensors, backend: str
) -> tuple[Tensor, Tensors]:
    """The output, and the gradients of a fixed random functional of it, on the CPU."""
    leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in inputs.items()}
    y = operator.run(leaves, backend)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad(y, list(leaves.values()), weights.to(y))
    return y.detach().cpu(), {
        name: gradient.cpu() for name, gradient in zip(leaves, gradients, strict=True)
    }


def _relative_error(found: Tensor, truth: Tensor) -> float:
    return float((found.double() - truth).abs().max() / truth.abs().max())


@torch.inference_mode()
def _milliseconds(operator: Operator, inputs: Tensors, backend: str) -> float:
    seconds: list[float] = []
    while len(seconds) < _TIMED_RUNS and sum(seconds) < _TIMED_SECONDS:
        started = time.perf_counter()
        operator.run(inputs, backend).sum().item()  # waits for the device
        seconds.append(time.perf_counter() - started)
    return 1e3 * statistics.median(seconds)


def _scan() -> Operator:
    """Steps and decays as in a trained network, gate and skip connection included."""
    generator = torch.Generator().manual_seed(0)

    def tokens(rows: int) -> Tensor:
        return torch.randn(1, _TOKENS, rows, generator=generator).transpose(1, 2)

    inputs = {
        "u": tokens(_CHANNELS),
        "delta": tokens(_CHANNELS),
        "A": -torch.arange(1.0, _STATES + 1).repeat(_CHANNELS, 1),
        "B": tokens(_STATES),
        "C": tokens(_STATES),
        "D": torch.randn(_CHANNELS, generator=generator),
        "z": tokens(_CHANNELS),
        "delta_bias": torch.rand(_CHANNELS, generator=generator) - 4,
    }
    return Operator(
        "selective_scan",
        lambda tensors, backend: selective_scan(**tensors, delta_softplus=True, backend=backend),
        inputs,
    )


def _convolution() -> Operator:
    generator = torch.Generator().manual_seed(2)
    inputs = {
        "x": torch.randn(1, _TOKENS, _CHANNELS, generator=generator).transpose(1, 2),
        "weight": torch.randn(_CHANNELS, _TAPS, generator=generator),
        "bias": torch.randn(_CHANNELS, generator=generator),
    }
    return Operator(
        "causal_conv1d_silu",
        lambda tensors, backend: causal_conv1d_silu(**tensors, backend=backend),
        inputs,
    )
