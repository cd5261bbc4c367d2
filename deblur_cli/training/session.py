"""One training run from options to weights: recipe, network, data, loop."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import torch

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.split import split_file, whole_file
from deblur_cli.errors import DeviceError, UsageError
from deblur_cli.inference.device import resolve_device
from deblur_cli.inference.precision import choose_dtype, dtype_name
from deblur_cli.models import RestorationModel, create_model, load_model
from deblur_cli.training.learner import make_learner
from deblur_cli.training.loop import fit
from deblur_cli.training.recipe import Recipe, load_recipe, to_toml
from deblur_cli.training.report import Observer, Start
from deblur_cli.training.schedule import Budget
from deblur_cli.training.settings import Settings
from deblur_cli.training.sources import open_stream
from deblur_cli.training.state import STATE_FILE, WEIGHTS_FILE, Run, begin, read_state


@dataclass(frozen=True)
class TrainingOptions:
    """What `deblur train` was asked for; None leaves it to the recipe or the device."""

    recipe: str
    data: Path
    folder: Path
    init: Path | None = None
    learning_rate: float | None = None
    batch: int | None = None
    patch: int | None = None
    device: str = "auto"
    dtype: str = "auto"
    workers: int | None = None
    threads: int = 1
    seed: int = 0
    split: int | None = None
    """Largest piece of state and weights in bytes; None leaves them whole."""


def run_training(
    options: TrainingOptions, budget: Budget, observer: Observer, stop: threading.Event
) -> Path | None:
    """Train by a recipe until the budget is spent or `stop` is set.

    Returns:
        The file of weights, or the list of its pieces; None if the run was interrupted.

    Raises:
        UsageError: options, recipe or data that make no sense; the folder holds a run of other
            settings.
        DeviceError: the device is not there, cannot compute in the dtype, or has too little memory.
        WeightsError, ImageReadError: the weights to start from, or a photo, cannot be read.
        DeblurError: the folder's state is damaged; and as for `fit`.
    """
    recipe, device = _recipe(options), resolve_device(options.device)
    state = read_state(options.folder)
    _prepare(device, options)
    init = None if options.init is None else whole_file(options.init)
    model = _model(recipe, init)
    settings, dtype = _settle(options, recipe, init, device, model, state)
    learner = make_learner(model, recipe, device, dtype)
    with open_stream(recipe, options.data, options.seed, settings.workers) as stream:
        run = Run(options.folder, recipe, settings, learner, stream)
        start, loading_seconds = begin(run, state), budget.spent
        budget.spent_before = start.spent
        if start.step == 0 and budget.progress >= 1:
            raise UsageError(
                f"loading took {loading_seconds:.0f} s, which is all of the budget",
                remedy="give a longer --budget",
            )
        observer.started(
            Start(
                device=device,
                dtype=settings.dtype,
                workers=settings.workers,
                parameters=model.descriptor.parameters,
                step=start.step,
                loading_seconds=loading_seconds,
                seconds_left=max(0.0, budget.seconds - budget.spent),
            )
        )
        try:
            finished = fit(run, start, budget, observer, stop)
        except torch.OutOfMemoryError as error:
            raise _out_of_memory(device, recipe) from error
    weights = options.folder / WEIGHTS_FILE
    if options.split is not None:
        split_file(options.folder / STATE_FILE, options.split)
        weights = split_file(weights, options.split)
    return weights if finished else None


def _recipe(options: TrainingOptions) -> Recipe:
    recipe = load_recipe(options.recipe)
    wishes: dict[str, Any] = {
        "learning_rate": options.learning_rate,
        "batch": options.batch,
        "patch": options.patch,
    }
    given = {name: wish for name, wish in wishes.items() if wish is not None}
    return replace(recipe, optimiser=replace(recipe.optimiser, **given))


def _prepare(device: torch.device, options: TrainingOptions) -> None:
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    torch.manual_seed(options.seed)
    if device.type == "cuda":
        torch.cuda.set_device(device.index or 0)
        torch.set_float32_matmul_precision("high")  # TF32 for what is left in float32
        torch.backends.cudnn.benchmark = True


def _model(recipe: Recipe, init: Path | None) -> RestorationModel:
    model = create_model(recipe.architecture, **recipe.network)
    multiple = model.descriptor.size_multiple
    if recipe.optimiser.patch % multiple:
        raise UsageError(
            f"patches of {recipe.optimiser.patch} pixels do not fit the network of '{recipe.name}'",
            remedy=f"a multiple of {multiple}",
        )
    if init is None:
        return model
    trained = load_model(init)
    if trained.descriptor.config != model.descriptor.config:
        raise UsageError(
            f"is laid out otherwise than recipe '{recipe.name}'",
            path=init,
            remedy="start from weights of the same recipe",
        )
    return trained


def _settle(
    options: TrainingOptions,
    recipe: Recipe,
    init: Path | None,
    device: torch.device,
    model: RestorationModel,
    state: Mapping[str, Any] | None,
) -> tuple[Settings, torch.dtype]:
    """The run's settings; what was left open is as in the run that goes on, else as suits here."""
    stored: Mapping[str, Any] = {} if state is None else state["settings"]
    spare = max(1, (os.cpu_count() or 1) - 1) if device.type == "cuda" else 0
    wish = stored.get("dtype", "auto") if options.dtype == "auto" else options.dtype
    dtype = choose_dtype(wish, device, model)
    settings = Settings(
        recipe=to_toml(recipe),
        seed=options.seed,
        dtype=dtype_name(dtype),
        workers=stored.get("workers", spare) if options.workers is None else options.workers,
        init=None if init is None else file_sha256(init),
    )
    if stored:
        settings.refuse_difference(stored, options.folder)
    return settings, dtype


def _out_of_memory(device: torch.device, recipe: Recipe) -> DeviceError:
    batch, patch = recipe.optimiser.batch, recipe.optimiser.patch
    return DeviceError(
        f"the device '{device}' has too little memory for {batch} patches of {patch}x{patch}",
        remedy="use a smaller --batch or --patch",
    )
