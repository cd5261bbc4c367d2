"""Whole runs on made-up photos: they learn, end in time, resume, and leave loadable weights."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from deblur_cli.errors import DeblurError, UsageError
from deblur_cli.models import load_model
from deblur_cli.training import loop
from deblur_cli.training.loop import ERROR_FLOOR, Report, floored_gain
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


@pytest.fixture
def options(tmp_path: Path) -> TrainingOptions:
    (tmp_path / "sharp").mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        coarse = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        photo = cv2.resize(coarse, (320, 320), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(tmp_path / "sharp" / f"{number}.png"), photo)
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE)
    return TrainingOptions(
        recipe=str(recipe),
        data=tmp_path,
        folder=tmp_path / "run",
        seconds=2.0,
        init=None,
        learning_rate=None,
        threads=1,
        seed=0,
        dtype="float32",
    )


def ignore(report: Report) -> None:
    pass


def train(
    options: TrainingOptions,
    on_report: Callable[[Report], None] = ignore,
    stop: threading.Event | None = None,
) -> bool:
    return run_training(options, on_report, stop or threading.Event())


@pytest.fixture(autouse=True)
def _report_every_step_of_a_twentieth_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    def steady_budget(seconds: float, spent_before: float) -> Budget:
        return Budget(seconds, spent_before, clock=partial(next, count(step=0.05)))

    monkeypatch.setattr(loop, "LOG_EVERY_STEPS", 1)
    monkeypatch.setattr(loop, "Budget", steady_budget)


def test_a_run_ends_annealed_and_leaves_weights_that_load(options: TrainingOptions) -> None:
    reports: list[Report] = []
    assert train(options, reports.append)
    assert reports[-1].learning_rate < reports[len(reports) // 2].learning_rate
    assert reports[-1].loss < reports[0].loss
    model = load_model(options.folder / "weights.safetensors")
    assert model.descriptor.config["stem"] == 2
    assert (options.folder / "recipe.toml").read_text() == RECIPE


def test_a_run_stops_after_the_step_in_hand_and_goes_on_later(options: TrainingOptions) -> None:
    reports: list[Report] = []
    stop = threading.Event()

    def stop_at_third(report: Report) -> None:
        reports.append(report)
        if report.step == 3:
            stop.set()

    assert not train(replace(options, seconds=1000), stop_at_third, stop)
    assert reports[-1].step == 3
    assert train(replace(options, seconds=3), reports.append)
    assert reports[3].step == 4


def test_the_state_of_another_recipe_is_refused(options: TrainingOptions) -> None:
    train(replace(options, seconds=0.1))
    Path(options.recipe).write_text(RECIPE.replace("batch = 2", "batch = 1"))
    with pytest.raises(UsageError, match="another recipe"):
        train(options)
    assert (options.folder / "recipe.toml").read_text() == RECIPE


def test_a_folder_that_cannot_be_made_is_an_error(options: TrainingOptions) -> None:
    options.folder.write_text("in the way")
    with pytest.raises(DeblurError, match="cannot make the run's folder"):
        train(options)


def test_a_folder_that_vanishes_is_an_error(options: TrainingOptions) -> None:
    with pytest.raises(DeblurError, match=r"state\.pt: cannot be written"):
        train(replace(options, seconds=0.1), lambda report: shutil.rmtree(options.folder, True))


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_saved_state(
    options: TrainingOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(replace(options, seconds=0.1))
    before = (options.folder / "state.pt").read_bytes()
    monkeypatch.setattr(loop, "deep_supervision", lambda *_: torch.tensor(torch.nan))
    with pytest.raises(DeblurError, match="finite"):
        train(replace(options, seconds=1000))
    assert (options.folder / "state.pt").read_bytes() == before


def test_the_gain_counts_patches_without_error_little() -> None:
    sharp = torch.full((2, 3, 8, 8), 0.5)
    blurred = sharp + torch.tensor([0.1, 0.0]).view(2, 1, 1, 1)
    restored = sharp + torch.tensor([0.05, 0.001]).view(2, 1, 1, 1)
    halved = 10 * np.log10((0.01 + ERROR_FLOOR) / (0.0025 + ERROR_FLOOR))
    assert floored_gain(blurred, restored, sharp) == pytest.approx(halved / 2, abs=0.05)
    assert floored_gain(blurred, blurred, sharp) == 0


def test_training_goes_on_from_given_weights(options: TrainingOptions) -> None:
    train(replace(options, seconds=0.5))
    weights = options.folder / "weights.safetensors"
    again = replace(
        options, init=weights, folder=options.folder.with_name("again"), learning_rate=0.0
    )
    train(replace(again, seconds=0.2))
    first, second = (load_model(f / "weights.safetensors") for f in (options.folder, again.folder))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_weights_of_another_layout_are_refused(options: TrainingOptions) -> None:
    train(replace(options, seconds=0.1))
    Path(options.recipe).write_text(RECIPE.replace("width = 8", "width = 12"))
    init = options.folder / "weights.safetensors"
    with pytest.raises(UsageError, match="laid out otherwise"):
        train(
            replace(options, init=init, folder=options.folder.with_name("b")),
        )


def test_patches_may_be_larger_than_the_usual_pairs(options: TrainingOptions) -> None:
    Path(options.recipe).write_text(RECIPE.replace("patch = 32", "patch = 272"))
    assert train(replace(options, seconds=0.1))


def test_an_unknown_dtype_is_refused(options: TrainingOptions) -> None:
    with pytest.raises(UsageError, match="bfloat16"):
        train(replace(options, dtype="int8"))
