"""Which variant of a recipe restores best for the same compute.

    python -m benchmarks.compare_recipes small-motion --data ../shared --steps 1200 -o runs/compare

Every variant is trained from random weights for as many steps as cost what `--steps` steps of the
recipe itself cost. The costs are CPU times of single steps, taken in turn with the recipe's own, so
that other work on the machine makes no difference; making the patches, a few per cent, is left out.
The result is measured as `benchmarks.adopt` does. Rows that the table has already are not repeated.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import get_type_hints

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

from benchmarks.adopt import measure
from benchmarks.network import core_seconds
from deblur_cli.checkpoints.manifest import load_manifest
from deblur_cli.inference.precision import choose_dtype
from deblur_cli.models import load_model
from deblur_cli.training.learner import make_learner, to_device
from deblur_cli.training.network import recipe_network
from deblur_cli.training.recipe import Recipe, Stage, load_recipe
from deblur_cli.training.schedule import Budget
from deblur_cli.training.session import TrainingOptions, run_training

TABLE = "results.csv"
BASELINE = "baseline"
VARIANTS: Mapping[str, tuple[str, ...]] = {
    BASELINE: (),
    "full size supervised only": ("loss.deep_supervision=false",),
    "Muon": ("optimiser.kind=muon",),
    "Muon, half the rate": ("optimiser.kind=muon", "optimiser.learning_rate=6e-4"),
    "blurred in sRGB": ("data.linear_share=0",),
    "blurred in linear light": ("data.linear_share=1",),
    "no global branch": ("network.global_levels=[]",),
    "EMA 0.999": ("optimiser.ema_decay=0.999",),
    "larger patches late": ("stages=[{after=0.6, patch=192, batch=3}]",),
    "width 48": ("network.width=48",),
    "global branch at 1/8 and 1/16": ("network.global_levels=[2, 3]",),
    "encoder 2,2,6": ("network.encoder_blocks=[2, 2, 6]",),
}
"""What each sets otherwise than the recipe."""

WARM_UP, ROUNDS = 2, 16
"""Steps of each kind that are not counted, and that are."""

SIDE = 960
"""Of a square picture with as many pixels as one of 1280x720."""


@dataclass(frozen=True)
class Row:
    """A variant trained once."""

    variant: str
    seed: int
    cost: float
    """CPU time of a step, mean over the run, relative to the recipe's own."""
    steps: int
    core_seconds: float
    """CPU time of the whole training, loading and patches included."""
    parameters: int
    picture_seconds: float
    """CPU seconds of 1280x720 pixels through the network in bfloat16 on one core."""
    pairs_gain: float
    """Over the validation pairs, dB."""
    shaken_gain: float
    """Over shaken photos at the best shift, dB."""
    sharp_to_input: float
    """PSNR between sharp photos and what becomes of them, dB."""


class Stepper:
    """Takes training steps of a recipe on noise, and tells what they cost."""

    def __init__(self, recipe: Recipe) -> None:
        model, device = recipe_network(recipe), torch.device("cpu")
        precision = choose_dtype("auto", device, model)
        self._learner = make_learner(model, recipe, device, precision)
        self._stages = list(_lengths(recipe))

    def __call__(self) -> float:
        """CPU seconds of a step, mean over the stages of a run."""
        return sum(length * self._step(stage) for stage, length in self._stages)

    def _step(self, stage: Stage) -> float:
        shape = (stage.batch, stage.patch, stage.patch, 3)
        noise = to_device(torch.randint(0, 256, shape, dtype=torch.uint8), self._learner.device)
        start = time.process_time()
        self._learner.step(noise, noise.flip(0), learning_rate=1e-4)
        return time.process_time() - start


def _lengths(recipe: Recipe) -> Iterator[tuple[Stage, float]]:
    """Every stage, and its share of the run."""
    stages = recipe.all_stages()
    ends = [*(stage.after for stage in stages[1:]), 1.0]
    for stage, end in zip(stages, ends, strict=True):
        yield stage, end - stage.after


def relative_cost(recipe: Recipe, baseline: Recipe) -> float:
    """CPU time of a step over the baseline's, median of steps taken in turn."""
    if replace(recipe, data=baseline.data) == baseline:
        return 1.0
    steppers = Stepper(recipe), Stepper(baseline)
    ratios = []
    for _ in range(WARM_UP + ROUNDS):
        here, there = (stepper() for stepper in steppers)
        ratios.append(here / there)
    return statistics.median(ratios[WARM_UP:])


def try_variant(name: str, seed: int, steps: int, recipe: str, data: Path, folder: Path) -> Row:
    """Train a variant for the compute of so many steps of the recipe, and measure it."""
    settings = VARIANTS[name]
    cost = relative_cost(load_recipe(recipe, settings), load_recipe(recipe))
    iterations = max(1, round(steps / cost))
    options = TrainingOptions(
        recipe=recipe,
        data=data,
        folder=folder,
        overrides=(*settings, f"iterations={iterations}"),
        seed=seed,
    )
    shutil.rmtree(folder, ignore_errors=True)
    start = time.process_time()
    weights = run_training(options, Budget(math.inf), lambda event: None, threading.Event())
    assert weights is not None
    spent = time.process_time() - start
    model = load_model(weights)
    entry = load_manifest().entry(f"algnet-{recipe}")
    measured = measure(load_model(weights), entry, data)
    model.set_precision(torch.bfloat16).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Row(
        variant=name,
        seed=seed,
        cost=round(cost, 3),
        steps=iterations,
        core_seconds=round(spent, 1),
        parameters=model.descriptor.parameters,
        picture_seconds=round(core_seconds(model, SIDE, runs=3), 3),
        pairs_gain=round(measured.gain, 3),
        shaken_gain=round(measured.shake_gain, 3),
        sharp_to_input=round(measured.sharp_to_input, 2),
    )


def read_rows(table: Path) -> list[Row]:
    """What an earlier call found; nothing if there is no table yet."""
    if not table.exists():
        return []
    kinds = get_type_hints(Row)
    with table.open(newline="") as file:
        return [
            Row(**{name: kinds[name](value) for name, value in row.items()})
            for row in csv.DictReader(file)
        ]


def write_rows(table: Path, rows: Sequence[Row]) -> None:
    """Replace the table."""
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def table_of_means(rows: Sequence[Row]) -> str:
    """A line for each variant, with means over its seeds and how many these are."""
    head = ("seeds", "cost", "steps", "s/picture", "pairs dB", "shaken dB", "sharp dB")
    lines = [f"{'variant':32}" + "".join(f"{name:>11}" for name in head)]
    for variant in dict.fromkeys(row.variant for row in rows):
        runs = [row for row in rows if row.variant == variant]
        cost, steps, seconds, pairs, shaken, sharp = (
            statistics.fmean(getattr(row, name) for row in runs)
            for name in (
                *("cost", "steps", "picture_seconds"),
                *("pairs_gain", "shaken_gain", "sharp_to_input"),
            )
        )
        lines.append(
            f"{variant:32}{len(runs):11}{cost:11.2f}{steps:11.0f}{seconds:11.2f}"
            f"{pairs:+11.3f}{shaken:+11.3f}{sharp:11.2f}"
        )
    return "\n".join(lines)


def main() -> int:
    """Train what the table lacks, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", help="bundled recipe whose weights are bundled, too")
    parser.add_argument("--data", type=Path, required=True, help="folder with sharp/ and pairs/")
    parser.add_argument("--steps", type=int, default=1200, help="of the recipe itself")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/compare"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    table = options.output / TABLE
    rows = read_rows(table)
    for seed in options.seeds:
        for name in options.only:
            if any((row.variant, row.seed) == (name, seed) for row in rows):
                continue
            folder = options.output / f"{name.replace(' ', '-').replace('/', '-')}-{seed}"
            rows.append(
                try_variant(name, seed, options.steps, options.recipe, options.data, folder)
            )
            write_rows(table, rows)
            print(rows[-1], flush=True)
    print(table_of_means(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
