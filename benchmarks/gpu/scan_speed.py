"""How fast the selective scan is, at the five resolutions of a frame and of a training step."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from benchmarks.gpu.backends import present
from benchmarks.gpu.bench import Bench, dtype_name
from benchmarks.gpu.events import Goal, Row, Skipped, Value
from benchmarks.gpu.timing import Call, cache_bytes
from benchmarks.scan import Arguments, forward_and_backward, inputs, ours

LEVELS = 5
OVER_MAMBA_BAR, JUDGED_LEVELS = 3.0, (1, 2)
LAUNCH_BOUND = "torch"
"""This back end is thousands of small calls: no graph is made, its launches are its time."""

PATIENCE = 4096
"""Tokens up to which it is waited for in training, where it goes from token to token."""

AGREEMENT = {torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 4e-3}
_CACHES, _MOST_SETS = 4, 16


@dataclass(frozen=True)
class Level:
    """The scan at one resolution; 1 is the finest."""

    number: int
    batch: int
    channels: int
    tokens: int
    states: int

    @property
    def updates(self) -> int:
        """State updates: one per picture, channel, token and state."""
        return self.batch * self.channels * self.tokens * self.states

    def inputs(self, dtype: torch.dtype, device: torch.device, seed: int = 0) -> Arguments:
        """Token-major, as the network has them."""
        sizes = (self.channels, self.tokens, self.states, dtype, self.batch)
        return inputs(*sizes, device=device, seed=seed)


def levels(size: tuple[int, int], width: int, states: int, batch: int = 1) -> Sequence[Level]:
    """All levels of an ALGNet, whose inner channels are twice those of the level."""
    multiple = 2 ** (LEVELS - 1)
    height, breadth = (-(-side // multiple) * multiple for side in size)
    return [
        Level(k + 1, batch, 2 * width * 2**k, (height >> k) * (breadth >> k), states)
        for k in range(LEVELS)
    ]


def measure_scans(bench: Bench) -> None:
    """A frame forward in two precisions, a training batch forward and backward."""
    sizes, width = bench.sizes, next(iter(bench.sizes.widths.values()))
    backends = present(bench.device)
    if "mamba-ssm" not in backends:
        bench.record(Skipped("scan beside mamba-ssm", "the package is not installed here"))
    for dtype in (torch.bfloat16, torch.float32):
        for level in levels(sizes.frame, width, sizes.states):
            if bench.out_of_time(f"scan of a frame, {dtype_name(dtype)}, level {level.number}"):
                return
            times = {name: _forward(bench, name, level, dtype) for name in backends}
            if dtype == torch.bfloat16 and level.number in JUDGED_LEVELS:
                _judge(bench, level, times)
    for level in levels((sizes.patch, sizes.patch), width, sizes.states, sizes.batch):
        if bench.out_of_time(f"scan of a training batch, level {level.number}"):
            return
        for name in backends:
            if name == LAUNCH_BOUND and level.tokens > PATIENCE:
                what = f"scan of a training batch, level {level.number}, back end {name}"
                bench.record(Skipped(what, "takes many seconds"))
            else:
                _backward(bench, name, level)


def _forward(bench: Bench, backend: str, level: Level, dtype: torch.dtype) -> float | None:
    group, name = f"speed of {backend}", f"level {level.number}, {dtype_name(dtype)}"
    with bench.attempt(group, name), torch.inference_mode():
        sets = _input_sets(level, dtype, bench.device, backend)
        moved = _bytes(sets[0])
        bench.check(
            group,
            f"{name}: every element written, and near the back end torch",
            functools.partial(_disagreement, sets[0], backend),
            AGREEMENT[dtype],
        )
        calls: list[Call] = [functools.partial(ours, arguments, backend) for arguments in sets]
        graph = None
        if bench.device.type == "cuda" and backend != LAUNCH_BOUND:
            graph = bench.graph_milliseconds(group, name, calls)
        time = graph or bench.milliseconds(*calls)
        cells = _cells(level, backend, dtype, time) | {
            "GB/s": moved / time / 1e6,
            "launched": "graph" if graph else "as called",
            "input sets": len(sets),
        }
        bench.record(Row("Selective scan, one frame, forward", cells))
        return time
    return None


def _backward(bench: Bench, backend: str, level: Level) -> None:
    with bench.attempt(f"speed of {backend}", f"training, level {level.number}"):
        time = training_milliseconds(bench, backend, level)
        cells = _cells(level, backend, torch.bfloat16, time)
        bench.record(Row("Selective scan, a training batch, forward and backward", cells))


def training_milliseconds(bench: Bench, backend: str | None, level: Level) -> float:
    """Forward and backward in bfloat16; `None` is the back end that networks take."""
    arguments = level.inputs(torch.bfloat16, bench.device)
    if backend == "mamba-ssm":
        arguments = _channel_major(arguments)
    scan = functools.partial(ours, backend=backend)
    call = functools.partial(forward_and_backward, scan, arguments)
    return bench.milliseconds(call)


def _input_sets(
    level: Level, dtype: torch.dtype, device: torch.device, backend: str
) -> list[Arguments]:
    """So many that together they are several times the cache; mamba-ssm gets its own layout.

    One is enough where launches are the time.
    """
    first = level.inputs(dtype, device)
    count = min(_MOST_SETS, 1 + _CACHES * cache_bytes(device) // _bytes(first))
    if backend == LAUNCH_BOUND:
        count = 1
    sets = [first, *(level.inputs(dtype, device, seed) for seed in range(1, count))]
    return [_channel_major(one) for one in sets] if backend == "mamba-ssm" else sets


def _channel_major(arguments: Arguments) -> Arguments:
    return {name: x.contiguous() for name, x in arguments.items()}


def _bytes(arguments: Arguments) -> int:
    """What must be read once, and the output, which is as large as `u`."""
    moved = [*arguments.values(), arguments["u"]]
    return sum(x.numel() * x.element_size() for x in moved)


def _disagreement(arguments: Arguments, backend: str) -> float:
    """Largest difference, relative to the largest value; NaN if an element was not written."""
    with poisoned_memory():
        y = ours(arguments, backend)
    if not bool(y.isfinite().all()):
        return float("nan")
    truth = ours(arguments, "torch")
    return float((y - truth).abs().max().float() / truth.abs().max().float())


@contextmanager
def poisoned_memory() -> Iterator[None]:
    """Inside, new tensors are full of NaN until they are written."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.use_deterministic_algorithms(False)


def _cells(level: Level, backend: str, dtype: torch.dtype, time: float) -> dict[str, Value]:
    return {
        "level": level.number,
        "B": level.batch,
        "D": level.channels,
        "L": level.tokens,
        "dtype": dtype_name(dtype),
        "back end": backend,
        "ms": time,
        "ns/update": 1e6 * time / level.updates,
    }


def _judge(bench: Bench, level: Level, times: Mapping[str, float | None]) -> None:
    own, theirs = times.get("triton"), times.get("mamba-ssm")
    if own and theirs:
        what = f"triton over mamba-ssm, one frame, level {level.number}"
        bench.record(Goal(what, theirs / own, OVER_MAMBA_BAR, "x", at_most=False))
