"""One training run from options to weights: recipe, network, data, loop."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deblur_cli.checkpoints.origin import BEST_FILE, STATE_FILE, WEIGHTS_FILE
from deblur_cli.checkpoints.split import split_file, whole_file
from deblur_cli.errors import UsageError
from deblur_cli.inference.precision import choose_dtype
from deblur_cli.training.board import Board
from deblur_cli.training.curves import WITHOUT_MATPLOTLIB, Curves, can_draw
from deblur_cli.training.distributed import Ranks, joined_ranks
from deblur_cli.training.events import Event, Note, Observer, Start
from deblur_cli.training.learner import Learner, make_learner
from deblur_cli.training.length import Length
from deblur_cli.training.loop import fit
from deblur_cli.training.network import recipe_network
from deblur_cli.training.recipe import Recipe
from deblur_cli.training.schedule import Budget
from deblur_cli.training.settings import Settings
from deblur_cli.training.setup import (
    TrainingOptions,
    chosen_recipe,
    initial_model,
    own_device,
    prepare,
    settle,
)
from deblur_cli.training.sources import open_stream
from deblur_cli.training.state import Run, Stream, begin, progress_in, read_state
from deblur_cli.training.tally import Progress
from deblur_cli.training.validation import Validator, best_psnr, open_validation

__all__ = ["TrainingOptions", "run_training"]


def run_training(
    options: TrainingOptions, budget: Budget, observer: Observer, stop: threading.Event
) -> Path | None:
    """Train by a recipe to the end of the run or until `stop` is set.

    If torchrun started several processes, each calls this; the first one does everything that has
    to do with files.

    Args:
        options: what to train, and with what.
        budget: of infinite seconds, if the recipe's iterations are to end the run.
        observer: is told what happens, in the first process.
        stop: the run is interrupted once it is set in any process.

    Returns:
        The file of the last weights, or the list of its pieces; None if the run was interrupted.

    Raises:
        UsageError: options, recipe or data that make no sense; the folder holds a run of other
            settings.
        MissingExtraError: TensorBoard is asked for and not installed.
        DeviceError: the device is not there, cannot compute in the dtype, or has too little memory.
        WeightsError, ImageReadError: the weights to start from, or a photo, cannot be read.
        EndedElsewhereError: this process ends as another did; the first one says why.
        DeblurError: the folder's state is damaged; and as for `fit`.
    """
    with joined_ranks() as ranks:
        recipe = ranks.share(lambda: chosen_recipe(options, ranks))
        length = Length(budget, recipe.iterations)
        learner, settings, state = _learner(options, recipe, ranks)
        observer = _listening(options, observer) if ranks.leads else _unheard
        with _stream(options, recipe, settings, ranks, observer) as stream:
            run = Run(options.folder, recipe, settings, learner, stream)
            start = ranks.share(lambda: progress_in(state))
            validator = None
            if ranks.leads:
                validator = _validator(run, options.data, resumed=state is not None)
                _begin(run, state, start, length, validator, observer)
            finished = fit(run, start, length, validator, observer, stop)
        weights = options.folder / WEIGHTS_FILE
        if ranks.leads and options.split is not None:
            weights = _split(options.folder, options.split)
    return weights if finished else None


def _learner(
    options: TrainingOptions, recipe: Recipe, ranks: Ranks
) -> tuple[Learner, Settings, dict[str, Any] | None]:
    """The learner as the run left it; the run's settings, and in the first process its state."""
    device = own_device(options.device, ranks)
    state = read_state(options.folder) if ranks.leads else None
    prepare(device, options)
    init = whole_file(options.init) if ranks.leads and options.init is not None else None
    model = initial_model(recipe, init) if ranks.leads else recipe_network(recipe)
    model.network.load_state_dict(ranks.share(model.network.state_dict))
    settings = ranks.share(
        lambda: settle(options, recipe, init, device, model, state, ranks.local_size)
    )
    precision = choose_dtype(settings.dtype, device, model)
    learner = make_learner(model, recipe, device, precision, ranks)
    learned = ranks.share(lambda: None if state is None else state["learner"])
    if learned is not None:
        learner.resume(learned)
    return learner, settings, state


@contextmanager
def _stream(
    options: TrainingOptions,
    recipe: Recipe,
    settings: Settings,
    ranks: Ranks,
    observer: Observer,
) -> Iterator[Stream | None]:
    if not ranks.leads:
        yield None
        return

    def warn(text: str) -> None:
        observer(Note(text))

    with open_stream(recipe, options.data, options.seed, settings.workers, warn) as stream:
        yield stream


def _listening(options: TrainingOptions, observer: Observer) -> Observer:
    """The observer, and whatever else keeps what happens."""
    observers: list[Observer] = [Curves(options.folder)]
    if options.tensorboard:
        observers.append(Board(options.folder))

    def tell(event: Event) -> None:
        for one in (*observers, observer):
            one(event)

    return tell


def _unheard(event: Event) -> None:
    """What the other processes tell is known from the first."""


def _validator(run: Run, root: Path, *, resumed: bool) -> Validator | None:
    if not run.recipe.data.validation:
        return None
    validator = Validator(
        open_validation(run.recipe.data.validation, root),
        run.folder,
        run.learner.device,
        run.learner.precision,
    )
    if resumed:
        validator.best = best_psnr(run.folder)
    return validator


def _begin(
    run: Run,
    state: Mapping[str, Any] | None,
    start: Progress,
    length: Length,
    validator: Validator | None,
    observer: Observer,
) -> None:
    """Go on from the state if there is one, and say so."""
    begin(run, state)
    budget, loading_seconds = length.budget, length.budget.spent
    budget.spent_before = start.spent
    if start.step == 0 and length.progress(0) >= 1:
        raise UsageError(
            f"loading took {loading_seconds:.0f} s, which is all of the budget",
            remedy="give a longer --budget",
        )
    observer(
        Start(
            device=str(run.learner.device),
            processes=run.learner.ranks.size,
            dtype=run.settings.dtype,
            workers=run.settings.workers,
            parameters=run.learner.model.descriptor.parameters,
            step=start.step,
            progress=length.progress(start.step),
            loading_seconds=loading_seconds,
            seconds_left=max(0.0, budget.seconds - budget.spent),
            iterations=length.last_step,
            validation_pairs=0 if validator is None else len(validator.pairs),
        )
    )
    if not can_draw():
        observer(Note(WITHOUT_MATPLOTLIB))


def _split(folder: Path, size: int) -> Path:
    """Leave everything large in pieces; the list of the last weights' pieces."""
    for name in (STATE_FILE, BEST_FILE):
        if (folder / name).exists():
            split_file(folder / name, size)
    return split_file(folder / WEIGHTS_FILE, size)
