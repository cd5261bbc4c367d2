"""Which back ends of the scan can run here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from deblur_cli.errors import DeblurError
from deblur_cli.ops.backends import BACKENDS, ENVIRONMENT_VARIABLE, operators


def candidates(device: torch.device) -> list[str]:
    """Names of the back ends that are made for `device`, best first; `reference` is the truth."""
    return [name for name, one in BACKENDS.items() if name != "reference" and one.runs_on(device)]


def why_absent(name: str, device: torch.device) -> str | None:
    """Why a back end cannot run on `device`; None if it can."""
    try:
        operators(name, device)
    except (ImportError, DeblurError) as error:
        return str(error)
    return None


def present(device: torch.device) -> list[str]:
    """Names of the back ends that run on `device`, best first."""
    return [name for name in candidates(device) if why_absent(name, device) is None]


@contextmanager
def networks_use(backend: str) -> Iterator[None]:
    """Inside, networks take this back end instead of the best one."""
    before = os.environ.get(ENVIRONMENT_VARIABLE)
    os.environ[ENVIRONMENT_VARIABLE] = backend
    try:
        yield
    finally:
        del os.environ[ENVIRONMENT_VARIABLE]
        if before is not None:
            os.environ[ENVIRONMENT_VARIABLE] = before
