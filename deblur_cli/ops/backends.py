"""Which implementation of the operators runs, and why."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor

from deblur_cli.errors import DeviceError, UsageError

ENVIRONMENT_VARIABLE = "DEBLUR_SCAN_BACKEND"


class Operators(Protocol):
    """What the module of a back end offers. Arguments arrive checked and complete."""

    def selective_scan(
        self,
        u: Tensor,
        delta: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor | None,
        z: Tensor | None,
        delta_bias: Tensor | None,
        delta_softplus: bool,
    ) -> Tensor:
        """As `deblur_cli.ops.selective_scan`."""

    def causal_conv1d_silu(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """As `deblur_cli.ops.causal_conv1d_silu`."""


@dataclass(frozen=True)
class Backend:
    """One implementation: the module is imported on first use only.

    Attributes:
        module: where the two operators are.
        device_types: the `torch.device.type`s it runs on; empty for every one.
    """

    module: str
    device_types: frozenset[str] = frozenset()

    def runs_on(self, device: torch.device) -> bool:
        """Whether tensors on `device` can be given to it."""
        return not self.device_types or device.type in self.device_types


BACKENDS: dict[str, Backend] = {
    "cpu": Backend("deblur_cli.ops.cpu", frozenset({"cpu"})),
    "torch": Backend("deblur_cli.ops.chunked"),
    "reference": Backend("deblur_cli.ops.reference"),
}
"""In the order of preference: without a wish, the first that runs on the device is taken."""


class Choice(NamedTuple):
    """A back end and who decided on it: 'argument', 'environment' or 'probe'."""

    name: str
    source: str


def resolve_backend(requested: str | None, device: torch.device | str) -> Choice:
    """Choose the back end: `requested`, else $DEBLUR_SCAN_BACKEND, else the best for `device`.

    Raises:
        UsageError: no back end has the name that was asked for.
        DeviceError: it exists, but does not run on `device`.
    """
    device = torch.device(device)
    if requested is not None:
        return _checked(Choice(requested, "argument"), device)
    if wish := os.environ.get(ENVIRONMENT_VARIABLE):
        return _checked(Choice(wish, "environment"), device)
    best = next(name for name, backend in BACKENDS.items() if backend.runs_on(device))
    return Choice(best, "probe")


def operators(requested: str | None, device: torch.device) -> Operators:
    """The implementation that `resolve_backend` chooses."""
    choice = resolve_backend(requested, device)
    return cast(Operators, importlib.import_module(BACKENDS[choice.name].module))


def _checked(choice: Choice, device: torch.device) -> Choice:
    origin = f"${ENVIRONMENT_VARIABLE}" if choice.source == "environment" else "the caller"
    if choice.name not in BACKENDS:
        raise UsageError(
            f"no scan back end is called '{choice.name}' (asked for by {origin})",
            remedy=f"choose one of {', '.join(BACKENDS)}",
        )
    if not BACKENDS[choice.name].runs_on(device):
        able = [name for name, backend in BACKENDS.items() if backend.runs_on(device)]
        raise DeviceError(
            f"the scan back end '{choice.name}' (asked for by {origin}) does not run on "
            f"'{device.type}' tensors",
            remedy=f"choose one of {', '.join(able)}",
        )
    return choice
