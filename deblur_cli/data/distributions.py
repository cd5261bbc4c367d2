"""Random sizes: the clipped log-normal that path extents and aperture radii are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LogNormal:
    """A log-normal distribution of lengths in pixels, clipped to ``[low, high]``."""

    median: float
    """Half of all draws lie below it (px)."""
    sigma: float
    """Standard deviation of the natural logarithm: 0.6 spans a factor of 1.8 either way."""
    low: float
    """No draw is smaller (px)."""
    high: float
    """No draw is larger (px)."""

    def __call__(self, rng: np.random.Generator) -> float:
        """One length in pixels."""
        return float(np.clip(rng.lognormal(np.log(self.median), self.sigma), self.low, self.high))
