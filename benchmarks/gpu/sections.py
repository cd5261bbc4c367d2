"""Everything the benchmark does, in order, and how long each part may take."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.gpu.backends import candidates
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.environment import describe_environment
from benchmarks.gpu.network_checks import check_engine, check_network
from benchmarks.gpu.network_speed import measure_networks
from benchmarks.gpu.operators import check_operators
from benchmarks.gpu.precision import check_precision
from benchmarks.gpu.scan_speed import measure_scans
from benchmarks.gpu.stream_speed import measure_stream
from benchmarks.gpu.training_speed import measure_training

COMPILED, OTHER = 100.0, 30.0
"""Seconds to check the operators of a back end that is compiled for every kind of input, or not."""


@dataclass(frozen=True)
class Section:
    """A part of the benchmark."""

    name: str
    run: Callable[[Bench], None]
    seconds: float
    """After which it starts nothing new."""


def sections(device: torch.device) -> list[Section]:
    """Checks first, so that a figure is never read without them."""
    return [
        Section("environment", describe_environment, 20),
        *(_operators(name) for name in candidates(device)),
        Section("network", check_network, 25),
        Section("engine", check_engine, 25),
        Section("precision", check_precision, 25),
        Section("scan speed", measure_scans, 60),
        Section("network speed", measure_networks, 60),
        Section("stream", measure_stream, 25),
        Section("training", measure_training, 50),
    ]


def _operators(backend: str) -> Section:
    seconds = COMPILED if backend == "triton" else OTHER
    run = functools.partial(check_operators, backend=backend)
    return Section(f"operators of {backend}", run, seconds)
