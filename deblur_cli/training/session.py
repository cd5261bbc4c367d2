"""One training run from options to weights: recipe, network, data, loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import torch

from deblur_cli.errors import UsageError
from deblur_cli.models import RestorationModel, create_model, load_model
from deblur_cli.training.loop import Report, fit, make_optimiser
from deblur_cli.training.recipe import Recipe, load_recipe
from deblur_cli.training.sources import patch_stream
from deblur_cli.training.state import Run

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class TrainingOptions:
    """What `deblur train` was asked for."""

    recipe: str
    data: Path
    folder: Path
    seconds: float
    init: Path | None
    learning_rate: float | None
    threads: int
    seed: int
    dtype: str


def run_training(
    options: TrainingOptions, on_report: Callable[[Report], None], stop: threading.Event
) -> bool:
    """Train by a recipe until its time is up or `stop` is set; returns whether it came to its end.

    Raises:
        UsageError: options, recipe or data that make no sense; the folder holds another run.
        WeightsError, ImageReadError: the weights to start from, or a photo, cannot be read.
        DeblurError: as for `fit`.
    """
    if options.dtype not in DTYPES:
        raise UsageError(f"unknown dtype '{options.dtype}'", remedy=f"one of {', '.join(DTYPES)}")
    recipe = _recipe(options)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    torch.manual_seed(options.seed)
    model = _model(recipe, options.init)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = Run(
        folder=options.folder,
        recipe=recipe,
        model=model,
        optimiser=make_optimiser(model, recipe.optimiser),
        stream=patch_stream(recipe, options.data, options.seed),
    )
    return fit(run, options.seconds, DTYPES[options.dtype], on_report, stop)


def _recipe(options: TrainingOptions) -> Recipe:
    recipe = load_recipe(options.recipe)
    if options.learning_rate is None:
        return recipe
    optimiser = replace(recipe.optimiser, learning_rate=options.learning_rate)
    return replace(recipe, optimiser=optimiser)


def _model(recipe: Recipe, init: Path | None) -> RestorationModel:
    model = create_model(recipe.architecture, **recipe.network)
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
