"""A running mean of the weights, which restores better than the weights of any single step."""

from __future__ import annotations

import copy
from typing import Any

import torch

from deblur_cli.models import RestorationModel


class WeightAverage:
    """Exponential moving average (EMA) of a network's parameters, on their device.

    After t steps the mean moves by 1 - min(decay, (1 + t) / (10 + t)), so that it soon forgets the
    weights it began with.
    """

    def __init__(self, model: RestorationModel, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def follow(self, model: RestorationModel) -> None:
        """Take in the weights after another step."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - decay)

    def state(self) -> dict[str, Any]:
        """All that `resume` needs."""
        return {"steps": self.steps, "model": self.model.network.state_dict()}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on where another mean of the same network stood."""
        self.steps = state["steps"]
        self.model.network.load_state_dict(state["model"])
