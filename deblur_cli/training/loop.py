"""The training loop: draw, restore, compare, step; ends annealed, may be interrupted anywhere."""

from __future__ import annotations

import threading
import time

import torch

from deblur_cli.errors import DeblurError
from deblur_cli.training.learner import to_device
from deblur_cli.training.report import Observer, Tally, floored_gain
from deblur_cli.training.schedule import Budget, learning_rate_factor
from deblur_cli.training.state import WEIGHTS_FILE, Progress, Run, export_weights, save_state

SAVE_EVERY_SECONDS = 300.0
LOG_EVERY_STEPS = 100


def fit(
    run: Run, start: Progress, budget: Budget, observer: Observer, stop: threading.Event
) -> bool:
    """Train until the budget is spent or `stop` is set; save the state and the weights.

    On a GPU the steps are queued: the next batch is drawn and sent there while the step before is
    under way. The loop waits for the device only when a report is due or the state is saved.

    Args:
        run: its network is trained in place.
        start: where the run stands.
        budget: the learning rate is annealed over it.
        observer: is told every `LOG_EVERY_STEPS` steps.
        stop: once set, the step in hand is the last.

    Returns:
        Whether the run came to its end; False if it was interrupted and can be resumed.

    Raises:
        DeblurError: the folder cannot be written, a data worker died, or in no step since the
            report before all gradients were finite.
    """
    learner, settings = run.learner, run.recipe.optimiser
    tally, skipped, last_save = Tally(start, learner.device), start.skipped, time.monotonic()
    while (progress := budget.progress) < 1 and not stop.is_set():
        factor = learning_rate_factor(progress, tally.step, settings.warmup_steps)
        rate = settings.learning_rate * factor
        blurred, sharp = (
            to_device(torch.from_numpy(images), learner.device)
            for images in run.stream.batch(progress)
        )
        loss, restored = learner.compare(blurred, sharp)
        learner.differentiate(loss)
        finite = learner.update(rate)
        gain = floored_gain(blurred, restored, sharp)
        tally.add(loss.detach(), gain, finite, settings.batch)
        if tally.step % LOG_EVERY_STEPS == 0:
            report = tally.report(progress, rate)
            if report.skipped - skipped >= LOG_EVERY_STEPS:
                raise _diverged(run)
            skipped = report.skipped
            observer.report(report)
        if time.monotonic() - last_save > SAVE_EVERY_SECONDS:
            save_state(run, tally.reached(budget.spent))
            last_save = time.monotonic()
    save_state(run, tally.reached(budget.spent))
    export_weights(run.folder / WEIGHTS_FILE, learner.model)
    return budget.progress >= 1


def _diverged(run: Run) -> DeblurError:
    return DeblurError(
        f"gradients were infinite or NaN in each of the last {LOG_EVERY_STEPS} steps",
        path=run.folder,
        remedy="start again in another folder with a lower --learning-rate",
    )
