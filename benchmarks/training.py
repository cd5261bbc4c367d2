"""What one training step consists of, and how fast patches are made for it.

    python -m benchmarks.training small-motion
    python -m benchmarks.training algnet-motion --device cuda --data ../shared --workers 0 8 15

The parts of a step are timed one by one, waiting for the device after each; in training they are
queued and overlap with the making of the next patches.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from deblur_cli.inference.device import resolve_device
from deblur_cli.inference.precision import choose_dtype, dtype_name
from deblur_cli.models import create_model, mamba
from deblur_cli.ops import selective_scan
from deblur_cli.training.learner import Learner, make_learner, to_device
from deblur_cli.training.recipe import Recipe, load_recipe

WARM_UP = 2
"""Steps that are not counted."""


@dataclass(frozen=True)
class StepProfile:
    """One step, in seconds: medians of parts that were waited for one by one."""

    data: float
    """A batch from this process's memory to the device, as float32."""
    forward: float
    """Network and losses."""
    backward: float
    optimiser: float
    """Check and clipping of the gradients, and the update."""
    scan: float
    """What the selective scans take of forward and backward, timed on their own."""
    queued: float
    """A whole step among others, without waiting in between."""
    batch: int
    peak_memory: int | None
    """Bytes of the device's memory; None on a CPU."""

    @property
    def step(self) -> float:
        """The sum of all parts."""
        return self.data + self.forward + self.backward + self.optimiser

    @property
    def scan_share(self) -> float:
        """Of the step."""
        return self.scan / self.step

    @property
    def patches_per_second(self) -> float:
        """Of queued steps."""
        return self.batch / self.queued


def profile_step(
    recipe: Recipe,
    device: torch.device,
    precision: torch.dtype,
    batch: int,
    patch: int,
    steps: int,
) -> StepProfile:
    """Time training steps on patches of noise; needs torch alone.

    Args:
        recipe: names network, losses and optimiser.
        device: where to train.
        precision: of convolutions and projections.
        batch: patches in a step.
        patch: their side in pixels.
        steps: how many are timed.
    """
    torch.manual_seed(0)
    learner = make_learner(
        create_model(recipe.architecture, **recipe.network), recipe, device, precision
    )
    images = torch.randint(0, 256, (batch, patch, patch, 3), dtype=torch.uint8)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    parts = [_timed_step(learner, images) for _ in range(WARM_UP + steps)][WARM_UP:]
    data, forward, backward, optimiser = map(statistics.median, zip(*parts, strict=True))
    start = _now(device)
    for _ in range(steps):
        _step(learner, images)
    queued = (_now(device) - start) / steps
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    scan = _scan_seconds(learner, images, steps)
    return StepProfile(data, forward, backward, optimiser, scan, queued, batch, peak)


def _timed_step(learner: Learner, images: Tensor) -> tuple[float, float, float, float]:
    marks = [_now(learner.device)]
    _step(learner, images, lambda: marks.append(_now(learner.device)))
    data, forward, backward, optimiser = (end - start for start, end in pairwise(marks))
    return data, forward, backward, optimiser


def _step(learner: Learner, images: Tensor, mark: Callable[[], None] = lambda: None) -> None:
    pictures = to_device(images, learner.device)
    mark()
    loss, _ = learner.compare(pictures, pictures.flip(0))
    mark()
    learner.differentiate(loss)
    mark()
    learner.set_rate(1e-4)
    learner.update()
    mark()


def _scan_seconds(learner: Learner, images: Tensor, runs: int) -> float:
    """All scans of a step forward and backward, each kind timed by itself on its own inputs."""
    kinds: Counter[tuple[torch.Size, ...]] = Counter()
    examples: dict[tuple[torch.Size, ...], tuple[list[Any], dict[str, Any]]] = {}

    def recording(*inputs: Any, **options: Any) -> Tensor:
        kind = tuple(value.shape for value in inputs)
        kinds[kind] += 1
        if kind not in examples:
            copies = [value.detach().clone().requires_grad_() for value in inputs]
            examples[kind] = copies, options
        return selective_scan(*inputs, **options)

    pictures = to_device(images, learner.device)
    with mock.patch.object(mamba, "selective_scan", recording), torch.no_grad():
        learner.compare(pictures, pictures)
    total = 0.0
    for kind, (inputs, options) in examples.items():
        times = []
        for _ in range(WARM_UP + runs):
            start = _now(learner.device)
            result = selective_scan(*inputs, **options)
            torch.autograd.grad(result, inputs, torch.ones_like(result))
            times.append(_now(learner.device) - start)
        total += kinds[kind] * statistics.median(times[WARM_UP:])
    return total


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def stream_rate(recipe: Recipe, data: Path, workers: int, seconds: float) -> tuple[float, float]:
    """Seconds until the first batch, then patches per second, if nobody waits in between."""
    from deblur_cli.training.sources import open_stream

    start = time.perf_counter()
    with open_stream(recipe, data, seed=0, workers=workers) as stream:
        stream.batch(0.5)
        first, batches = time.perf_counter(), 0
        while time.perf_counter() - first < seconds:
            stream.batch(0.5)
            batches += 1
        rate = batches * recipe.optimiser.batch / (time.perf_counter() - first)
    return first - start, rate


def main() -> int:
    """Print a step's parts, and with --data the speed of the patches."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", help="bundled recipe or .toml file")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--batch", type=int, help="instead of the recipe's")
    parser.add_argument("--patch", type=int, help="instead of the recipe's")
    parser.add_argument("--steps", type=int, default=10, help="steps that are timed")
    parser.add_argument("--data", type=Path, help="make patches from this folder, too")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each stream")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe)
    batch, patch = (
        (options.batch or recipe.optimiser.batch),
        (options.patch or recipe.optimiser.patch),
    )
    recipe = replace(recipe, optimiser=replace(recipe.optimiser, batch=batch, patch=patch))
    device = resolve_device(options.device)
    model = create_model(recipe.architecture, **recipe.network)
    precision = choose_dtype(options.dtype, device, model)
    profile = profile_step(recipe, device, precision, batch, patch, options.steps)
    print(
        f"{recipe.name}, {batch} patches of {patch}x{patch}, {device}, {dtype_name(precision)}, "
        f"{torch.get_num_threads()} threads"
    )
    for part in ("data", "forward", "backward", "optimiser", "step", "scan", "queued"):
        seconds = getattr(profile, part)
        print(f"{part:10} {1000 * seconds:9.1f} ms  {seconds / profile.step:6.1%}")
    print(f"{profile.patches_per_second:.1f} patches/s")
    if profile.peak_memory is not None:
        print(f"{profile.peak_memory / 2**30:.1f} GiB at most")
    for workers in options.workers if options.data else []:
        first, rate = stream_rate(recipe, options.data, workers, options.seconds)
        print(f"{workers} workers: first batch after {first:.1f} s, then {rate:.1f} patches/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
