"""How fast whole networks are on one video frame, beside what the device could do at best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.bench import DTYPES, Bench, dtype_name
from benchmarks.gpu.events import Goal, Row, Value
from benchmarks.gpu.networks import in_precision, random_frames, random_network
from benchmarks.gpu.roofline import Ceilings, count_work, measure_ceilings
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.timing import peak_mebibytes

TABLE = "Networks, one frame"
FRAME_BAR = 20.0
AUTHORS_MS = 237.0
"""What the paper gives for a 1280x720 picture, on its authors' GPU; not measured here."""

JUDGED = "ALGNet"


@dataclass(frozen=True)
class Variant:
    """One network in one precision."""

    network: str
    layout: str
    config: Mapping[str, Any]
    dtype: torch.dtype
    judged: bool
    """Whether the goal is set for it."""

    @property
    def name(self) -> str:
        """All three in words."""
        return f"{self.network}, {self.layout}, {dtype_name(self.dtype)}"


def measure_networks(bench: Bench) -> None:
    """Every width, layout and precision, as called and as a graph."""
    bench.record(Row(TABLE, {"network": "ALGNet, its authors' figure", "eager ms": AUTHORS_MS}))
    ceilings = measure_ceilings(bench)
    for variant in _variants(bench.sizes):
        if bench.out_of_time(f"{variant.name} and what follows"):
            return
        with bench.attempt("networks", variant.name), torch.inference_mode():
            _measure(bench, variant, ceilings)


def _variants(sizes: Sizes) -> Iterator[Variant]:
    for network, width in sizes.widths.items():
        for layout, counts in sizes.layouts.items():
            config = {"width": width, "state_size": sizes.states, **counts}
            for dtype in DTYPES:
                paper = network == JUDGED and counts is sizes.paper
                yield Variant(network, layout, config, dtype, paper and dtype != torch.float32)


def _measure(bench: Bench, variant: Variant, ceilings: Ceilings) -> None:
    model = in_precision(random_network(bench.device, **variant.config), variant.dtype)
    frame = random_frames(bench.device, 1, 3, *bench.sizes.frame)

    def restore() -> Tensor:
        return model(frame)

    bench.check("networks", f"{variant.name}: finite", lambda: float((~restore().isfinite()).sum()))
    eager = bench.milliseconds(restore)
    memory = peak_mebibytes(bench.device, restore)
    graph = None
    if bench.device.type == "cuda":
        graph = bench.graph_milliseconds("networks", variant.name, [restore])
    best = min(eager, graph or eager)
    cells: dict[str, Value] = {
        "network": variant.network,
        "layout": variant.layout,
        "dtype": dtype_name(variant.dtype),
        "eager ms": eager,
        "graph ms": graph,
        "peak MiB": memory,
        **_roofline(bench, variant, ceilings, best),
    }
    if variant.judged:
        goal = Goal(f"{variant.name}, a frame", best, FRAME_BAR, "ms")
        bench.record(goal)
        cells["goal"] = goal.verdict()
    bench.record(Row(TABLE, cells))


def _roofline(bench: Bench, variant: Variant, ceilings: Ceilings, found: float) -> dict[str, Value]:
    work = count_work(variant.config, bench.sizes.frame)
    floor, limit = work.floor(ceilings, variant.dtype)
    return {
        "GMAC": work.operations / 2e9,
        "G updates": work.updates / 1e9,
        "GB": work.values * variant.dtype.itemsize / 1e9,
        "floor ms": floor,
        "floor by": limit,
        "over floor": found / floor,
    }
