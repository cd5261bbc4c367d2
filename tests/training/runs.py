"""Small runs of the training, and what they tell."""

from __future__ import annotations

import csv
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from deblur_cli.training.events import Event, Note, Report, Start, Validation
from deblur_cli.training.schedule import Budget
from deblur_cli.training.session import TrainingOptions, run_training

RECIPE = """
task = "motion"
architecture = "algnet"
[network]
width = 8
encoder_blocks = [1, 1]
decoder_blocks = [1, 1]
stem = 2
global_levels = [2]
state_size = 8
[optimiser]
batch = 2
patch = 32
[data]
sharp = "sharp"
[data.shares]
easy-motion = 1
"""


class Log:
    """Keeps what a run tells; each report, one for every step, is a second on its clock."""

    def __init__(self, on_report: Callable[[Report], None] = lambda report: None) -> None:
        self.events: list[Event] = []
        self.on_report = on_report

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Report):
            self.on_report(event)

    def clock(self) -> float:
        return float(len(self.reports))

    @property
    def start(self) -> Start:
        (start,) = (event for event in self.events if isinstance(event, Start))
        return start

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Note)]

    @property
    def reports(self) -> list[Report]:
        return [event for event in self.events if isinstance(event, Report)]

    @property
    def validations(self) -> list[Validation]:
        return [event for event in self.events if isinstance(event, Validation)]


def train(
    options: TrainingOptions, steps: float, log: Log | None = None, stop_at: int | None = None
) -> Path | None:
    """A run of so many steps, interrupted once it has come to step `stop_at`."""
    log = log or Log()
    stop, told = threading.Event(), log.on_report

    def on_report(report: Report) -> None:
        told(report)
        if report.step == stop_at:
            stop.set()

    log.on_report = on_report
    return run_training(options, Budget(steps, clock=log.clock), log, stop)


def write_data(root: Path) -> Path:
    """A recipe, sharp photos and validation pairs; the path of the recipe."""
    rng = np.random.default_rng(0)
    for folder in ("sharp", "val/blur", "val/sharp"):
        (root / folder).mkdir(parents=True)
    for number in range(2):
        coarse = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        photo = cv2.resize(coarse, (320, 320), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(root / "sharp" / f"{number}.png"), photo)
        crop = photo[:48, :64]
        cv2.imwrite(str(root / "val" / "sharp" / f"{number}.png"), crop)
        cv2.imwrite(str(root / "val" / "blur" / f"{number}.png"), cv2.blur(crop, (5, 1)))
    recipe = root / "tiny.toml"
    recipe.write_text(RECIPE)
    return recipe


def state_of(options: TrainingOptions) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(options.folder / "state.pt", weights_only=True)
    return state


def curve(folder: Path) -> list[tuple[str, ...]]:
    """What the clock does not decide of each row of the curve."""
    with (folder / "curve.csv").open(newline="") as file:
        columns = ("step", "progress", "learning_rate", "loss", "gain", "skipped")
        return [tuple(row[column] for column in columns) for row in csv.DictReader(file)]


def assert_same(one: Any, other: Any) -> None:
    """Equal to the last bit, however deep."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_same(value, other[key])
    elif isinstance(one, Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


def run_steps(options: TrainingOptions) -> None:
    """A run of as many steps as the recipe says."""
    assert run_training(options, Budget(math.inf), Log(), threading.Event())
