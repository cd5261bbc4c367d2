"""Which implementation of the operators runs, and why."""

from __future__ import annotations

import functools
import importlib
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor

from deblur_cli.errors import DeblurError, DeviceError, MissingExtraError, UsageError
from deblur_cli.ops import hub_kernel

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
class Requirement:
    """What must be installed for a back end.

    Attributes:
        name: for people.
        met: whether it is there; imports nothing of it.
        remedy: how to get it.
        extra: the optional extra of this package that brings it, if one does.
    """

    name: str
    met: Callable[[], bool]
    remedy: str
    extra: str = ""


@dataclass(frozen=True)
class Backend:
    """One implementation: the module is imported on first use only.

    Attributes:
        module: where the two operators are.
        device_types: the `torch.device.type`s it runs on; empty for every one.
        requirement: what must be installed.
        interpreter: environment variable that, at 1, lets it run on the CPU as well, for tests.
        compiled: whether it is fast; the others are plain torch.
    """

    module: str
    device_types: frozenset[str] = frozenset()
    requirement: Requirement | None = None
    interpreter: str = ""
    compiled: bool = True

    def made_for(self, device: torch.device) -> bool:
        """Whether the probe may choose it for tensors on `device`, once it is installed."""
        return not self.device_types or device.type in self.device_types

    def runs_on(self, device: torch.device) -> bool:
        """Whether tensors on `device` can be given to it, once it is installed."""
        interpreted = self.interpreter and os.environ.get(self.interpreter) == "1"
        return self.made_for(device) or bool(interpreted and device.type == "cpu")

    @property
    def installed(self) -> bool:
        """Whether everything it needs is there."""
        return self.requirement is None or self.requirement.met()


def _has(package: str) -> bool:
    return find_spec(package) is not None


def _has_triton() -> bool:
    """Kernels take named tuples, which Triton knows from 3.3 on, and it builds a launcher in C."""
    if not _has("triton") or not _has_what_triton_builds_with():
        return False
    for distribution in ("triton", "triton-windows", "pytorch-triton"):
        with suppress(PackageNotFoundError):
            return tuple(int(part) for part in version(distribution).split(".")[:2]) >= (3, 3)
    return True


def _has_what_triton_builds_with() -> bool:
    """Its Windows build brings a compiler; its interpreter needs none."""
    if sys.platform == "win32" or os.environ.get("TRITON_INTERPRET") == "1":
        return True
    return bool(os.environ.get("CC") or shutil.which("clang") or shutil.which("gcc"))


BACKENDS: dict[str, Backend] = {
    "triton": Backend(
        "deblur_cli.ops.triton",
        frozenset({"cuda"}),
        Requirement(
            "the package triton from 3.3 on and a C compiler",
            _has_triton,
            "it comes with the CUDA builds of torch for Linux, gcc and Python's headers with the "
            "system; for Windows: pip install triton-windows",
        ),
        interpreter="TRITON_INTERPRET",
    ),
    "mamba-ssm": Backend(
        "deblur_cli.ops.mamba_ssm",
        frozenset({"cuda"}),
        Requirement(
            "the package mamba_ssm or its kernel from the Hub",
            lambda: _has("mamba_ssm") or hub_kernel.is_cached(),
            "pip install 'deblur-cli[mamba]'",
            extra="mamba",
        ),
    ),
    "cpu": Backend(
        "deblur_cli.ops.cpu",
        frozenset({"cpu"}),
        Requirement("the package numba", lambda: _has("numba"), "pip install numba"),
    ),
    "torch": Backend("deblur_cli.ops.chunked", compiled=False),
    "reference": Backend("deblur_cli.ops.reference", compiled=False),
}
"""In the order of preference: without a wish, the first that is made for the device and installed
is taken."""


class Choice(NamedTuple):
    """A back end, and who decided on it: 'argument', 'environment' or 'probe'."""

    name: str
    source: str
    reason: str
    """The decision for people, in half a sentence."""


def resolve_backend(requested: str | None, device: torch.device | str) -> Choice:
    """Choose the back end: `requested`, else $DEBLUR_SCAN_BACKEND, else the best for `device`.

    Raises:
        UsageError: no back end has the name that was asked for.
        DeviceError: it exists, but does not run on `device`, or needs what is not installed.
        MissingExtraError: it needs an optional extra that is not installed.
    """
    device = torch.device(device)
    if requested is not None:
        return _checked(Choice(requested, "argument", "asked for by the caller"), device)
    if wish := os.environ.get(ENVIRONMENT_VARIABLE):
        reason = f"asked for by ${ENVIRONMENT_VARIABLE}"
        return _checked(Choice(wish, "environment", reason), device)
    return probe(device.type)


@functools.cache
def probe(device_type: str) -> Choice:
    """The best back end for tensors on devices of this type; looked up once per process."""
    made_for_it = [
        (name, backend)
        for name, backend in BACKENDS.items()
        if backend.made_for(torch.device(device_type))
    ]
    missing = []
    for name, backend in made_for_it:
        if backend.installed:
            break
        missing.append(_lack(name, backend))
    if missing:
        reason = f"the best for '{device_type}' that is installed; {'; '.join(missing)}"
    elif backend.compiled:
        reason = f"the best for '{device_type}'"
    else:
        reason = f"no compiled back end is made for '{device_type}'"
    return Choice(name, "probe", reason)


def usable_backends(device: torch.device) -> list[str]:
    """Names of the installed back ends that are made for `device`, best first."""
    return [
        name for name, backend in BACKENDS.items() if backend.made_for(device) and backend.installed
    ]


def slow_backend_warning(device: torch.device) -> str | None:
    """What the user should know if the scan will be slow on `device`, for want of a better one."""
    choice = resolve_backend(None, device)
    if BACKENDS[choice.name].compiled:
        return None
    return (
        f"the selective scan runs in plain torch on '{device.type}', which is slow "
        f"(back end '{choice.name}': {choice.reason})"
    )


def operators(requested: str | None, device: torch.device) -> Operators:
    """The implementation that `resolve_backend` chooses; raises DeviceError if it is broken."""
    choice = resolve_backend(requested, device)
    try:
        return cast(Operators, importlib.import_module(BACKENDS[choice.name].module))
    except DeblurError:
        raise
    except Exception as error:  # optional packages fail in ways of their own
        raise DeviceError(
            f"the scan back end '{choice.name}' cannot be loaded: {type(error).__name__}: {error}",
            remedy="repair or remove what it needs; `deblur doctor` shows the back ends that work",
        ) from error


def _checked(choice: Choice, device: torch.device) -> Choice:
    if choice.name not in BACKENDS:
        raise UsageError(
            f"no scan back end is called '{choice.name}' ({choice.reason})",
            remedy=f"choose one of {', '.join(BACKENDS)}",
        )
    backend = BACKENDS[choice.name]
    wish = f"the scan back end '{choice.name}' ({choice.reason})"
    if not backend.runs_on(device):
        raise DeviceError(
            f"{wish} does not run on '{device.type}' tensors",
            remedy=f"choose one of {', '.join(usable_backends(device))}",
        )
    if not backend.installed:
        assert backend.requirement is not None
        if backend.requirement.extra:
            raise MissingExtraError(wish, backend.requirement.extra)
        raise DeviceError(
            f"{wish} needs {backend.requirement.name}, which is not installed",
            remedy=backend.requirement.remedy,
        )
    return choice


def _lack(name: str, backend: Backend) -> str:
    assert backend.requirement is not None
    return f"{name} needs {backend.requirement.name} ({backend.requirement.remedy})"
