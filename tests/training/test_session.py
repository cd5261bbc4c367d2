"""Whole runs on made-up photos: they learn, end in time, resume, and leave loadable weights."""

from __future__ import annotations

import math
import resource
import shutil
import threading
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deblur_cli.errors import DeblurError, DeviceError, UsageError
from deblur_cli.models import load_model
from deblur_cli.training import loop
from deblur_cli.training.learner import Learner
from deblur_cli.training.losses import Criterion
from deblur_cli.training.recipe import parse_recipe
from deblur_cli.training.schedule import Budget
from deblur_cli.training.session import TrainingOptions, run_training
from tests.training.runs import RECIPE, Log, assert_same, curve, state_of, train


def test_a_run_ends_annealed_and_leaves_weights_that_load(options: TrainingOptions) -> None:
    log = Log()
    assert train(options, 40, log) == options.folder / "weights.safetensors"
    assert len(log.reports) == 40
    assert log.reports[-1].learning_rate < log.reports[20].learning_rate
    assert log.reports[-1].loss < log.reports[0].loss
    model = load_model(options.folder / "weights.safetensors")
    assert model.descriptor.config["stem"] == 2


def test_what_was_chosen_is_told_before_the_first_step(options: TrainingOptions) -> None:
    log = Log()
    train(options, 1, log)
    start = log.start
    assert (start.device, start.dtype) == ("cpu", "float32")
    assert (start.workers, start.step, start.seconds_left) == (0, 0, 1.0)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_interrupted_run_goes_on_to_the_same_bits(
    options: TrainingOptions, workers: int
) -> None:
    whole = replace(options, workers=workers)
    parted = replace(whole, folder=options.folder.with_name("parted"))
    train(whole, 8)
    assert train(parted, 8, stop_at=3) is None
    log = Log()
    assert train(parted, 8, log) is not None
    assert log.start.step == 3
    assert [report.step for report in log.reports] == [4, 5, 6, 7, 8]
    assert_same(state_of(parted), state_of(whole))
    assert curve(parted.folder) == curve(whole.folder)


def test_the_folder_holds_the_recipe_with_what_the_command_changed(
    options: TrainingOptions,
) -> None:
    overrides = ("optimiser.batch=1", "optimiser.patch=64", "optimiser.learning_rate=1e-5")
    train(replace(options, overrides=overrides), 1)
    kept = parse_recipe("tiny", (options.folder / "recipe.toml").read_text("utf-8"))
    asked = parse_recipe("tiny", RECIPE)
    assert (kept.network, kept.data, kept.loss) == (asked.network, asked.data, asked.loss)
    settings = kept.optimiser
    assert (settings.batch, settings.patch, settings.learning_rate) == (1, 64, 1e-5)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"overrides": ("optimiser.batch=1",)}, "optimiser.batch 2 instead of 1"),
        (
            {"overrides": ("optimiser.learning_rate=0.1",)},
            "optimiser.learning_rate 0.0012 instead of 0.1",
        ),
        ({"seed": 4}, "seed 0 instead of 4"),
        ({"dtype": "bfloat16"}, "dtype float32 instead of bfloat16"),
        ({"workers": 3}, "workers 0 instead of 3"),
        ({"init": "weights.safetensors"}, "init random weights instead of weights "),
    ],
)
def test_a_run_with_other_settings_is_refused_by_their_names(
    options: TrainingOptions, change: dict[str, Any], named: str
) -> None:
    train(options, 1)
    before = state_of(options)
    if "init" in change:
        change = {"init": options.folder / change["init"]}
    with pytest.raises(UsageError, match=named):
        train(replace(options, **change), 2)
    assert_same(state_of(options), before)


def test_what_is_left_open_stays_as_the_run_began(options: TrainingOptions) -> None:
    train(replace(options, dtype="bfloat16", workers=1), 2, stop_at=1)
    log = Log()
    train(replace(options, dtype="auto", workers=None), 2, log)
    assert (log.start.dtype, log.start.workers) == ("bfloat16", 1)


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "other"])
def test_a_damaged_state_is_named_and_left_as_it_is(options: TrainingOptions, damage: str) -> None:
    train(options, 1)
    path = options.folder / "state.pt"
    content = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "garbage":
            path.write_bytes(bytes(range(256)) * 9)
        case "empty":
            path.write_bytes(b"")
        case "other":
            torch.save({"step": 3}, path)
    before = path.read_bytes()
    with pytest.raises(DeblurError, match=r"state\.pt: is damaged.*delete it"):
        train(options, 2)
    assert path.read_bytes() == before


def test_state_and_weights_in_pieces_go_on_like_whole_ones(options: TrainingOptions) -> None:
    parted = replace(options, folder=options.folder.with_name("parted"), split=20_000)
    train(options, 4)
    train(parted, 4, stop_at=2)
    assert not (parted.folder / "state.pt").exists()
    weights = train(parted, 4)
    assert weights == parted.folder / "weights.safetensors.split"
    kept = {p.name: p.stat().st_size for p in parted.folder.iterdir() if p.suffix != ".png"}
    assert max(kept.values()) <= 20_000, kept
    again = replace(options, folder=options.folder.with_name("again"), init=weights)
    train(replace(again, overrides=("optimiser.learning_rate=0",)), 1)
    one, other = (load_model(f / "weights.safetensors") for f in (options.folder, again.folder))
    assert_same(dict(one.state_dict()), dict(other.state_dict()))


def test_a_budget_that_is_spent_while_loading_is_refused(options: TrainingOptions) -> None:
    ticks = count()
    with pytest.raises(UsageError, match="longer --budget"):
        run_training(options, Budget(1, clock=lambda: next(ticks)), Log(), threading.Event())
    assert not (options.folder / "weights.safetensors").exists()


def test_a_folder_that_cannot_be_made_is_an_error(options: TrainingOptions) -> None:
    options.folder.write_text("in the way")
    with pytest.raises(DeblurError, match="the folder cannot be made"):
        train(options, 1)


def test_a_folder_that_vanishes_is_an_error(options: TrainingOptions) -> None:
    log = Log(lambda report: shutil.rmtree(options.folder, True))
    with pytest.raises(DeblurError, match=r"state\.pt: cannot be written"):
        train(options, 1, log)


def test_single_steps_without_finite_gradients_are_left_out_and_counted(
    options: TrainingOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY_STEPS", 2)
    loss, steps = Criterion.forward, count(1)

    def sometimes(*arguments: Any) -> Tensor:
        return loss(*arguments) * (torch.nan if next(steps) % 2 else 1.0)

    monkeypatch.setattr(Criterion, "forward", sometimes)
    log = Log()
    train(options, 3, log)
    assert [report.skipped for report in log.reports] == [1, 2, 3]
    assert np.isfinite([[report.loss, report.gain] for report in log.reports]).all()
    assert state_of(options)["skipped"] == 3


def test_a_run_without_finite_gradients_ends_and_leaves_the_saved_state(
    options: TrainingOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(options, 1)
    before = (options.folder / "state.pt").read_bytes()
    loss = Criterion.forward
    monkeypatch.setattr(Criterion, "forward", lambda *args: loss(*args) * torch.nan)
    with pytest.raises(DeblurError, match="infinite or NaN"):
        train(options, 1000)
    assert (options.folder / "state.pt").read_bytes() == before


def test_too_little_memory_says_which_batch_fits(
    options: TrainingOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = Learner.compare

    def compare_few(learner: Learner, blurred: Tensor, sharp: Tensor) -> tuple[Tensor, Tensor]:
        if len(blurred) > 3:
            raise torch.OutOfMemoryError
        return compare(learner, blurred, sharp)

    monkeypatch.setattr(Learner, "compare", compare_few)
    large = replace(options, overrides=("optimiser.batch=12",))
    with pytest.raises(DeviceError, match=r"12 patches of 32x32; 3 fit .*accumulation=4.*batch 3"):
        train(large, 1)
    train(replace(options, overrides=("optimiser.batch=12", "optimiser.accumulation=4")), 1)


def test_too_little_memory_for_any_patch_says_so(
    options: TrainingOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> tuple[Tensor, Tensor]:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Learner, "compare", full)
    with pytest.raises(DeviceError, match=r"2 patches of 32x32 and for any fewer .*--patch"):
        train(options, 1)


def test_a_full_disk_is_one_error_and_leaves_the_saved_state(options: TrainingOptions) -> None:
    train(options, 2, stop_at=1)
    before = {path.name: path.read_bytes() for path in options.folder.iterdir()}
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, unlimited[1]))
    try:
        with pytest.raises(DeblurError, match=r"state\.pt: cannot be written.*disk has room"):
            train(options, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    after = {path.name: path.read_bytes() for path in options.folder.iterdir()}
    assert after.pop("curve.csv").startswith(before.pop("curve.csv"))
    assert after == before
    assert train(options, 2)


def test_a_run_may_end_by_its_iterations(options: TrainingOptions) -> None:
    log = Log()
    steps = replace(options, overrides=("iterations=5",))
    assert run_training(steps, Budget(math.inf), log, threading.Event())
    assert [report.progress for report in log.reports] == [0, 0.2, 0.4, 0.6, 0.8]
    assert (log.start.iterations, log.start.seconds_left) == (5, math.inf)


def test_a_budget_goes_before_the_iterations_of_a_recipe(options: TrainingOptions) -> None:
    log = Log()
    train(replace(options, overrides=("iterations=5",)), 2, log)
    assert len(log.reports) == 2
    assert log.start.iterations is None


def test_a_run_without_an_end_is_refused(options: TrainingOptions) -> None:
    with pytest.raises(UsageError, match="--budget or --iterations"):
        run_training(options, Budget(math.inf), Log(), threading.Event())


def test_parts_of_a_batch_give_what_the_whole_gives(options: TrainingOptions) -> None:
    whole = replace(options, overrides=("optimiser.batch=4",))
    parts = replace(
        options,
        folder=options.folder.with_name("parts"),
        overrides=("optimiser.batch=4", "optimiser.accumulation=2"),
    )
    logs = Log(), Log()
    train(whole, 8, logs[0])
    train(parts, 8, logs[1])
    one, other = ([(r.loss, r.gain) for r in log.reports] for log in logs)
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_batches_that_do_not_divide_into_parts_are_refused(options: TrainingOptions) -> None:
    with pytest.raises(UsageError, match="accumulation"):
        train(replace(options, overrides=("optimiser.accumulation=4",)), 1)


def test_the_mean_of_the_weights_is_exported(options: TrainingOptions) -> None:
    train(replace(options, overrides=("optimiser.ema_decay=0.9",)), 6)
    state = state_of(options)["learner"]
    exported = load_model(options.folder / "weights.safetensors").network.state_dict()
    for key, mean in state["average"]["model"].items():
        assert torch.equal(exported[key], mean.half().float())
    assert not torch.equal(
        state["average"]["model"]["intro.weight"], state["model"]["intro.weight"]
    )


def test_training_goes_on_from_given_weights(options: TrainingOptions) -> None:
    weights = train(options, 10)
    again = replace(options, init=weights, folder=options.folder.with_name("again"))
    train(replace(again, overrides=("optimiser.learning_rate=0",)), 4)
    first, second = (load_model(f / "weights.safetensors") for f in (options.folder, again.folder))
    assert_same(dict(first.state_dict()), dict(second.state_dict()))


def test_weights_of_another_layout_are_refused(options: TrainingOptions) -> None:
    weights = train(options, 1)
    Path(options.recipe).write_text(RECIPE.replace("width = 8", "width = 12"))
    with pytest.raises(UsageError, match="laid out otherwise"):
        train(replace(options, init=weights, folder=options.folder.with_name("b")), 1)


def test_patches_may_be_larger_than_the_usual_pairs(options: TrainingOptions) -> None:
    assert train(replace(options, overrides=("optimiser.patch=272", "optimiser.batch=1")), 1)


def test_patches_that_the_network_would_pad_are_refused(options: TrainingOptions) -> None:
    with pytest.raises(UsageError, match="a multiple of 8"):
        train(replace(options, overrides=("optimiser.patch=36",)), 1)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_learns_too(options: TrainingOptions, dtype: str) -> None:
    log = Log()
    train(replace(options, dtype=dtype), 12, log)
    assert log.reports[-1].loss < log.reports[0].loss


def test_an_unknown_dtype_is_refused(options: TrainingOptions) -> None:
    with pytest.raises(UsageError, match="bfloat16"):
        train(replace(options, dtype="int8"), 1)


def test_a_device_that_is_not_here_is_refused(options: TrainingOptions) -> None:
    with pytest.raises(DeviceError, match="cuda:99"):
        train(replace(options, device="cuda:99"), 1)
