"""Frames per second from the host's memory and back, through the engine as users have it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.events import Check, Row, Skipped, Value
from benchmarks.gpu.networks import random_network
from benchmarks.gpu.pictures import Picture, drawn_clip, read_samples
from benchmarks.gpu.weights import bundled_model
from deblur_cli.inference.engine import Deblurrer

TASK = "motion"
DISTINCT_FRAMES = 6


def measure_stream(bench: Bench) -> None:
    """A clip through the bundled weights and through the paper's layout, in the best dtype."""
    name, frames = _clip(bench)
    model, entry = bundled_model(TASK)
    engines = {entry.id: Deblurrer(model, device=str(bench.device), advice=entry.inference)}
    config = {"width": next(iter(bench.sizes.widths.values())), "state_size": bench.sizes.states}
    untrained = random_network(bench.device, **config, **bench.sizes.paper)
    engines["ALGNet, paper layout, untrained"] = Deblurrer(
        untrained.cpu(), device=str(bench.device)
    )
    for network, deblurrer in engines.items():
        if bench.out_of_time(f"clip through {network}"):
            return
        with bench.attempt("stream", network):
            _measure(bench, network, deblurrer, name, frames)


def _clip(bench: Bench) -> tuple[str, list[Picture]]:
    samples = read_samples(bench.samples, bench.sizes.picture, bench.sizes.frame)
    if samples is not None:
        return "real", list(samples.clip)
    why = f"no {bench.samples}; `python -m benchmarks.gpu_samples` makes it; a drawn one is used"
    bench.record(Skipped("a real clip end to end", why))
    return "drawn", list(drawn_clip(*bench.sizes.frame, DISTINCT_FRAMES))


def _measure(
    bench: Bench, network: str, deblurrer: Deblurrer, clip: str, frames: list[Picture]
) -> None:
    count = bench.sizes.clip
    for _ in deblurrer.stream(_repeated(frames, len(frames))):
        pass
    start = time.perf_counter()
    results = list(deblurrer.stream(_repeated(frames, count)))
    seconds = time.perf_counter() - start
    bench.check("stream", f"{network}: as many results as frames", lambda: count - len(results))
    bench.check(
        "stream",
        f"{network}: implausible tiles",
        lambda: sum(result.redone + result.kept for result in results),
    )
    warnings = {warning for result in results for warning in result.warnings}
    detail = "; ".join(sorted(warnings)) or "none"
    bench.record(Check("stream", f"{network}: warnings", not warnings, detail))
    height, width = frames[0].shape[:2]
    cells: dict[str, Value] = {
        "network": network,
        "clip": f"{clip}, {count} frames, {width}x{height}",
        "frames/s": count / seconds,
        "ms/frame": 1e3 * seconds / count,
        "engine": deblurrer.summary,
    }
    bench.record(Row("A clip end to end", cells))


def _repeated(frames: list[Picture], count: int) -> Iterable[Picture]:
    return itertools.islice(itertools.cycle(frames), count)
