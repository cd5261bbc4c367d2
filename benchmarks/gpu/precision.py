"""What half precision costs: PSNR against the truth, with the bundled weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from benchmarks.gpu.bench import DTYPES, Bench, dtype_name
from benchmarks.gpu.events import Check, Goal, Row, Skipped, Value
from benchmarks.gpu.pictures import Pair, Picture, drawn_pair, read_samples
from benchmarks.gpu.weights import bundled_model
from deblur_cli.inference.engine import Deblurrer

LOSS_BAR = 0.02
"""dB."""

TASK = "motion"


def check_precision(bench: Bench) -> None:
    """The mean loss over drawn and over real pairs, for every half precision."""
    for kind, pairs in _pairs(bench).items():
        exact = _mean_psnr(bench, torch.float32, pairs)
        bench.record(Row("Precision", _cells(kind, torch.float32, exact)))
        for dtype in DTYPES[1:]:
            if bench.out_of_time(f"precision of {dtype_name(dtype)} on {kind} pairs"):
                return
            name = f"{dtype_name(dtype)} on {kind} pairs"
            with bench.attempt("precision", name):
                found = _mean_psnr(bench, dtype, pairs)
                goal = Goal(f"PSNR loss, {name}", exact - found, LOSS_BAR, "dB")
                cells = {"loss dB": goal.found, "goal": goal.verdict()}
                bench.record(Row("Precision", _cells(kind, dtype, found) | cells))
                bench.record(goal)
                bench.record(Check("precision", name, goal.met, f"loses {goal.found:.4f} dB"))


def _pairs(bench: Bench) -> Mapping[str, Sequence[Pair]]:
    side = bench.sizes.picture
    pairs = {"drawn": tuple(drawn_pair(side, side, seed) for seed in range(2))}
    samples = read_samples(bench.samples, side, bench.sizes.frame)
    if samples is None:
        why = f"no {bench.samples}; `python -m benchmarks.gpu_samples` makes it"
        bench.record(Skipped("precision on real pairs", why))
        return pairs
    return pairs | {"real": samples.pairs}


def _cells(kind: str, dtype: torch.dtype, decibels: float) -> dict[str, Value]:
    return {"pairs": kind, "dtype": dtype_name(dtype), "PSNR dB": decibels}


def _mean_psnr(bench: Bench, dtype: torch.dtype, pairs: Sequence[Pair]) -> float:
    model, entry = bundled_model(TASK)
    deblurrer = Deblurrer(
        model,
        name=entry.id,
        device=str(bench.device),
        dtype=dtype_name(dtype),
        tile=0,
        advice=entry.inference,
    )
    return float(np.mean([_psnr(deblurrer(pair.blurred), pair.sharp) for pair in pairs]))


def _psnr(restored: Picture, truth: Picture) -> float:
    """As `deblur_cli.metrics.psnr`, which needs OpenCV."""
    error = float(np.mean((restored.astype(np.float64) - truth) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf
