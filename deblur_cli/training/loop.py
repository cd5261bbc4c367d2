"""The training loop: draw, restore, compare, step; ends annealed, may be interrupted anywhere."""

from __future__ import annotations

import threading
import time
from functools import partial

from deblur_cli.checkpoints.origin import WEIGHTS_FILE
from deblur_cli.errors import DeblurError
from deblur_cli.inference.memory import ran_out_of_memory
from deblur_cli.training.distributed import Images
from deblur_cli.training.events import Note, Observer, Saved, Stepped
from deblur_cli.training.learner import Learner, Step, to_device
from deblur_cli.training.length import Length
from deblur_cli.training.schedule import learning_rate_factor
from deblur_cli.training.shortage import explain_shortage
from deblur_cli.training.state import Run, export_weights, save_state
from deblur_cli.training.tally import Progress, Tally
from deblur_cli.training.validation import Validator

SAVE_EVERY_SECONDS = 300.0
LOG_EVERY_STEPS = 100


def fit(
    run: Run,
    start: Progress,
    length: Length,
    validator: Validator | None,
    observer: Observer,
    stop: threading.Event,
) -> bool:
    """Train to the end of the run or until `stop` is set; save the state and the weights.

    On a GPU the steps are queued: the next batch is drawn and sent there while the step before is
    under way. The loop waits for the device only when a report is due or the state is saved.

    Every process that trains runs this; all but the first only take the steps.

    Args:
        run: its network is trained in place.
        start: where the run stands.
        length: the learning rate is annealed over it.
        validator: chooses the best weights, after reports; None if there are no pairs for it.
        observer: is told of every step, and every `LOG_EVERY_STEPS` steps what they came to.
        stop: once set in any process, the step in hand is the last.

    Returns:
        Whether the run came to its end; False if it was interrupted and can be resumed.

    Raises:
        DeviceError: memory does not suffice for the batch.
        DeblurError: the folder cannot be written, a data worker died, or in no step since the
            report before all gradients were finite.
    """
    learner, ranks, schedule = run.learner, run.learner.ranks, run.recipe.schedule
    tally, skipped, last_save = Tally(start, learner.device), start.skipped, time.monotonic()
    named: set[str] = set()
    while True:
        progress, stopped = ranks.agree(length.progress(tally.step), stop.is_set())
        if progress >= 1 or stopped:
            break
        factor = learning_rate_factor(schedule, progress, tally.step)
        rate = run.recipe.optimiser.learning_rate * factor
        images = ranks.deal(partial(run.draw, progress))
        step = _step(learner, images, rate)
        tally.add(step.loss, step.gain, step.finite, ranks.size * len(images[0]))
        observer(Stepped(tally.step, progress))
        if tally.step % LOG_EVERY_STEPS == 0:
            report = tally.report(length.budget.spent, progress, rate)
            _refuse_divergence(run, report.skipped - skipped)
            skipped = report.skipped
            observer(report)
            _name_faults(run, named, observer)
            if validator is not None and validator.due:
                observer(validator.validate(learner.trained, tally.step, report.seconds))
        if ranks.leads and time.monotonic() - last_save > SAVE_EVERY_SECONDS:
            save_state(run, tally.reached(length.budget.spent))
            observer(Saved(tally.step))
            last_save = time.monotonic()
    finished = progress >= 1
    _name_faults(run, named, observer)
    if ranks.leads:
        _conclude(
            run, tally.reached(length.budget.spent), validator if finished else None, observer
        )
    return finished


def _step(learner: Learner, images: Images, rate: float) -> Step:
    try:
        blurred, sharp = (to_device(one, learner.device) for one in images)
        return learner.step(blurred, sharp, rate)
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
        count, side = images[0].shape[:2]
        raise explain_shortage(error, learner, count, side) from error


def _name_faults(run: Run, named: set[str], observer: Observer) -> None:
    """Tell of pairs that were skipped since the last time."""
    graphed = run.learner.graphed
    if graphed is not None and graphed.refused and graphed.refused not in named:
        named.add(graphed.refused)
        observer(Note(f"steps are launched without CUDA graphs: {graphed.refused}"))
    faults = [] if run.stream is None else run.stream.faults
    for fault in faults:
        if fault not in named:
            named.add(fault)
            observer(Note(f"skipped: {fault}; {len(named)} so far"))


def _refuse_divergence(run: Run, skipped: int) -> None:
    if skipped >= LOG_EVERY_STEPS:
        raise DeblurError(
            f"gradients were infinite or NaN in each of the last {LOG_EVERY_STEPS} steps",
            path=run.folder,
            remedy="start again in another folder with a lower --learning-rate",
        )


def _conclude(run: Run, reached: Progress, validator: Validator | None, observer: Observer) -> None:
    """Save everything, and see how good the last weights are if a validator is given."""
    save_state(run, reached)
    export_weights(run.folder / WEIGHTS_FILE, run.learner.trained)
    if validator is not None and validator.step != reached.step:
        observer(validator.validate(run.learner.trained, reached.step, reached.spent))
    observer(Saved(reached.step))
