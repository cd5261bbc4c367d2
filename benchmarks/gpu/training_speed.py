"""How fast a training step of the paper's ALGNet is, and how much of it is the scan."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.events import Goal, Row, Value
from benchmarks.gpu.networks import random_frames, random_network
from benchmarks.gpu.scan_speed import levels, training_milliseconds
from benchmarks.gpu.timing import peak_mebibytes
from deblur_cli.models import RestorationModel
from deblur_cli.models.algnet_config import ALGNetConfig
from deblur_cli.training.losses import Criterion
from deblur_cli.training.recipe import LossWeights

SHARE_BAR = 35.0
PRECISION = torch.bfloat16


def measure_training(bench: Bench) -> None:
    """The paper's batch, or the largest half, quarter and so on of it that memory holds."""
    sizes = bench.sizes
    width = next(iter(sizes.widths.values()))
    model = random_network(bench.device, width=width, state_size=sizes.states, **sizes.paper)
    batch = sizes.batch
    while not (step := _try_step(bench, model.train(), batch)):
        batch //= 2
        if not batch:
            raise MemoryError("not even one patch fits into the device's memory")
        torch.cuda.empty_cache()
    time = bench.milliseconds(step)
    memory = peak_mebibytes(bench.device, step)
    scan = _scan_milliseconds(bench, batch, width)
    goal = Goal("share of the scan in a training step", 100 * scan / time, SHARE_BAR, "%")
    bench.record(goal)
    cells: dict[str, Value] = {
        "batch": batch,
        "patch": sizes.patch,
        "dtype": "bfloat16 autocast",
        "ms/step": time,
        "patches/s": 1e3 * batch / time,
        "scan ms": scan,
        "scan %": 100 * scan / time,
        "peak MiB": memory,
        "goal": goal.verdict(),
    }
    bench.record(Row("Training step, ALGNet, paper layout", cells))


def _try_step(bench: Bench, model: RestorationModel, batch: int) -> Callable[[], None] | None:
    """A step that ran once; None if memory did not suffice."""
    step = _step(bench, model, batch)
    try:
        step()
    except torch.OutOfMemoryError:
        model.zero_grad(set_to_none=True)
        return None
    return step


def _step(bench: Bench, model: RestorationModel, batch: int) -> Callable[[], None]:
    """Forward, the paper's loss at all scales, backward, Adam; the batch is on the device."""
    side = bench.sizes.patch
    blurred = random_frames(bench.device, batch, 3, side, side)
    sharp = torch.rand_like(blurred)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-5, fused=True)
    criterion = Criterion(LossWeights())

    def step() -> None:
        with torch.autocast(bench.device.type, PRECISION):
            outputs = model.network(blurred)
        loss = criterion([output.float() for output in outputs], blurred, sharp)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


def _scan_milliseconds(bench: Bench, batch: int, width: int) -> float:
    """All scans of a step, forward and backward, each timed alone at its size."""
    side, paper = bench.sizes.patch, bench.sizes.paper
    layout = ALGNetConfig(**paper)
    sides = zip(layout.encoder_blocks, reversed(layout.decoder_blocks), strict=True)
    blocks = [*map(sum, sides), layout.middle_blocks]
    sizes = levels((side, side), width, bench.sizes.states, batch)[: len(blocks)]
    return sum(
        count * training_milliseconds(bench, None, level)
        for count, level in zip(blocks, sizes, strict=True)
    )
