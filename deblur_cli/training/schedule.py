"""How far a run has come, and the learning rate at that point."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from deblur_cli.training.recipe import Schedule


@dataclass
class Budget:
    """Wall-clock time of a run, loading included; a run of any length ends annealed.

    The clock starts when the budget is made. Time spent before an interruption counts, the pause in
    between does not.
    """

    seconds: float
    spent_before: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._start = self.clock()

    @property
    def spent(self) -> float:
        """Seconds of training so far, over all sittings."""
        return self.spent_before + self.clock() - self._start

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, in [0,1]."""
        return min(1.0, self.spent / self.seconds)


def learning_rate_factor(schedule: Schedule, progress: float, step: int) -> float:
    """The learning rate of step `step`, relative to its peak.

    Args:
        schedule: its shape.
        progress: share of the run that is done, in [0,1].
        step: steps that were done before, for the warm-up.
    """
    warmup = min(1.0, (step + 1) / max(1, schedule.warmup_steps))
    if schedule.shape == "halving":
        parts = schedule.halvings + 1
        return warmup * 0.5 ** min(int(progress * parts), schedule.halvings)
    fall = max(0.0, (progress - schedule.hold) / (1 - schedule.hold))
    cosine = 0.5 * (1 + math.cos(math.pi * fall))
    return warmup * ((1 - schedule.floor) * cosine + schedule.floor)
