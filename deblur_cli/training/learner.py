"""A network in training: what one step computes, and what it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from deblur_cli.models import RestorationModel
from deblur_cli.training.averaging import WeightAverage
from deblur_cli.training.distributed import Ranks
from deblur_cli.training.graphs import GraphedSteps
from deblur_cli.training.losses import Criterion
from deblur_cli.training.optimisers import load_optimiser, make_optimiser
from deblur_cli.training.recipe import Recipe
from deblur_cli.training.tally import floored_gain


@dataclass(frozen=True)
class Step:
    """What a step found, over the batches of all processes; scalars on the device."""

    loss: Tensor
    gain: Tensor
    """`floored_gain`, in dB."""
    finite: Tensor
    """Whether all gradients were, so that the parameters changed."""


@dataclass(frozen=True)
class Learner:
    """A network with its optimiser; nothing here but Muon waits for the device."""

    model: RestorationModel
    criterion: Criterion
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    """Scales the loss in float16; elsewhere by 1, and only finds the steps that must be skipped."""
    precision: torch.dtype
    """Of convolutions and projections (autocast); parameters stay float32."""
    clip_norm: float
    parts: int
    """A batch goes through the network in so many parts, one after the other."""
    average: WeightAverage | None
    ranks: Ranks
    graphed: GraphedSteps | None = field(init=False)
    """Takes the steps where one process trains on a GPU, unless they wait for it."""

    def __post_init__(self) -> None:
        """Take steps by graphs where that is possible."""
        alone = self.device.type == "cuda" and self.ranks.size == 1
        possible = alone and isinstance(self.optimiser, torch.optim.AdamW)
        graphed = GraphedSteps(self._learn, self._changed_by_steps) if possible else None
        object.__setattr__(self, "graphed", graphed)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.model.parameters()).device

    @property
    def trained(self) -> RestorationModel:
        """What is validated and exported: the mean of the weights if there is one."""
        return self.model if self.average is None else self.average.model

    def step(self, blurred: Tensor, sharp: Tensor, learning_rate: float) -> Step:
        """Learn from this process's share `(B,3,H,W)` in [0,1] of a batch."""
        self.set_rate(learning_rate)
        learn = self.graphed or self._learn
        step = Step(*learn(blurred, sharp))
        if self.average is not None:
            self.average.follow(self.model)
        return step

    def _learn(self, blurred: Tensor, sharp: Tensor) -> Sequence[Tensor]:
        """Loss, gain, and whether all gradients were finite."""
        self.optimiser.zero_grad(set_to_none=True)  # a recording that failed may have left some
        losses, gains = zip(
            *(
                self._learn_from(*part)
                for part in zip(blurred.chunk(self.parts), sharp.chunk(self.parts), strict=True)
            ),
            strict=True,
        )
        loss, gain = torch.stack(losses).mean(), torch.stack(gains).mean()
        gradients = (parameter.grad for parameter in self._parameters())
        self.ranks.average([*(g for g in gradients if g is not None), loss, gain])
        return loss, gain, self.update()

    def _learn_from(self, blurred: Tensor, sharp: Tensor) -> tuple[Tensor, Tensor]:
        loss, restored = self.compare(blurred, sharp)
        self.differentiate(loss / self.parts)
        return loss.detach(), floored_gain(blurred, restored, sharp)

    def compare(self, blurred: Tensor, sharp: Tensor) -> tuple[Tensor, Tensor]:
        """Restore `(B,3,H,W)` in [0,1]; the recipe's loss, and the full-size result."""
        with torch.autocast(
            blurred.device.type, self.precision, enabled=self.precision != torch.float32
        ):
            outputs = self.model.network(blurred)
        final = outputs[self.model.network.final_output]
        compared = outputs if self.criterion.weights.deep_supervision else [final]
        loss = self.criterion([output.float() for output in compared], blurred, sharp)
        return loss, final.detach()

    def differentiate(self, loss: Tensor) -> None:
        """Add the gradient of the loss to that of every parameter."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def set_rate(self, learning_rate: float) -> None:
        """Set the learning rate of the next steps."""
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):  # where a graph looks it up
                group["lr"].fill_(learning_rate)
            else:
                group["lr"] = learning_rate

    def update(self) -> Tensor:
        """Change the parameters by their gradients, unless one of these is infinite or NaN.

        The gradients are given up.

        Returns:
            Whether all were finite, as a boolean tensor on the device.
        """
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self._parameters(), self.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update(None if self.precision == torch.float16 else 1.0)
        self.optimiser.zero_grad(set_to_none=True)
        return norm.isfinite()

    def _changed_by_steps(self) -> list[Tensor]:
        moments = (value for state in self.optimiser.state.values() for value in state.values())
        return [*self._parameters(), *moments]

    def _parameters(self) -> list[nn.Parameter]:
        return [*self.model.parameters(), self.criterion.trust]

    def state(self) -> dict[str, Any]:
        """All that `resume` needs."""
        return {
            "model": self.model.network.state_dict(),
            "trust": self.criterion.trust.detach(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": None if self.average is None else self.average.state(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on where another learner of the same recipe stood."""
        self.model.network.load_state_dict(state["model"])
        self.criterion.trust.data.copy_(state["trust"])
        load_optimiser(self.optimiser, state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.resume(state["average"])


def make_learner(
    model: RestorationModel,
    recipe: Recipe,
    device: torch.device,
    precision: torch.dtype,
    ranks: Ranks | None = None,
) -> Learner:
    """Put a network on a device, channels last, and make what trains it there.

    Raises:
        UsageError: the recipe's loss or optimiser needs what is not installed.
    """
    model.place(device)
    model.train()
    criterion = Criterion(recipe.loss).to(device)
    settings = recipe.optimiser
    initial_scale = 2.0**16 if precision == torch.float16 else 1.0
    return Learner(
        model=model,
        criterion=criterion,
        optimiser=make_optimiser(nn.ModuleList((model, criterion)), settings),
        scaler=torch.amp.GradScaler(device.type, init_scale=initial_scale),
        precision=precision,
        clip_norm=settings.clip_norm,
        parts=settings.accumulation,
        average=WeightAverage(model, settings.ema_decay) if settings.ema_decay else None,
        ranks=ranks or Ranks(),
    )


def to_device(images: Tensor, device: torch.device) -> Tensor:
    """Pictures `(B,H,W,3)` uint8 as `(B,3,H,W)` float32 in [0,1], channels last, on the device.

    To a GPU they travel from pinned memory: the copy takes its turn behind the steps already under
    way there, and nothing waits for it here.
    """
    if device.type == "cuda":
        images = images.pin_memory()
    return images.to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
