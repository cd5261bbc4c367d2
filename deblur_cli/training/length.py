"""How long a run is: by its iterations, or by the clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deblur_cli.errors import UsageError
from deblur_cli.training.schedule import Budget


@dataclass(frozen=True)
class Length:
    """How far a run has come; a finite budget decides, else the iterations do.

    Raises:
        UsageError: there is neither.
    """

    budget: Budget
    iterations: int | None

    def __post_init__(self) -> None:
        """Refuse what has no end."""
        if math.isinf(self.budget.seconds) and self.iterations is None:
            raise UsageError(
                "the recipe does not say how long to train", remedy="give --budget or --iterations"
            )

    @property
    def last_step(self) -> int | None:
        """After which the run ends; None if the budget ends it."""
        return self.iterations if math.isinf(self.budget.seconds) else None

    def progress(self, step: int) -> float:
        """Share of the run that is done after `step` steps, in [0,1]."""
        if self.last_step is None:
            return self.budget.progress
        return min(1.0, step / self.last_step)
