"""A network in training: what one step computes, and what it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deblur_cli.models import RestorationModel
from deblur_cli.training.losses import deep_supervision
from deblur_cli.training.recipe import LossWeights, Optimiser, Recipe


@dataclass(frozen=True)
class Learner:
    """A network with its optimiser; nothing here waits for the device."""

    model: RestorationModel
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    """Scales the loss in float16; elsewhere by 1, and only finds the steps that must be skipped."""
    precision: torch.dtype
    """Of convolutions and projections (autocast); parameters stay float32."""
    loss: LossWeights
    clip_norm: float

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.model.parameters()).device

    def compare(self, blurred: Tensor, sharp: Tensor) -> tuple[Tensor, Tensor]:
        """Restore `(B,3,H,W)` in [0,1]; the loss over all scales, and the full-size result."""
        with torch.autocast(
            blurred.device.type, self.precision, enabled=self.precision != torch.float32
        ):
            outputs = self.model.network(blurred)
        loss = deep_supervision([output.float() for output in outputs], sharp, self.loss)
        return loss, outputs[-1].detach()

    def differentiate(self, loss: Tensor) -> None:
        """Give every parameter the gradient of the loss."""
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def update(self, learning_rate: float) -> Tensor:
        """Change the parameters by their gradients, unless one of these is infinite or NaN.

        Returns:
            Whether all were finite, as a boolean tensor on the device.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update(None if self.precision == torch.float16 else 1.0)
        return norm.isfinite()

    def state(self) -> dict[str, Any]:
        """All that `resume` needs."""
        return {
            "model": self.model.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on where another learner of the same recipe stood."""
        self.model.network.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])


def make_learner(
    model: RestorationModel, recipe: Recipe, device: torch.device, precision: torch.dtype
) -> Learner:
    """Put a network on a device, channels last, and make what trains it there."""
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.train()
    initial_scale = 2.0**16 if precision == torch.float16 else 1.0
    return Learner(
        model=model,
        optimiser=make_optimiser(model, recipe.optimiser),
        scaler=torch.amp.GradScaler(device.type, init_scale=initial_scale),
        precision=precision,
        loss=recipe.loss,
        clip_norm=recipe.optimiser.clip_norm,
    )


def make_optimiser(model: nn.Module, settings: Optimiser) -> torch.optim.AdamW:
    """AdamW that decays only matrices and kernels."""
    named = list(model.named_parameters())
    decays = {name for name, value in named if _is_matrix(value) and not name.endswith("A_log")}
    groups = [
        {"params": [p for n, p in named if n in decays], "weight_decay": settings.weight_decay},
        {"params": [p for n, p in named if n not in decays], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, fused=True)


def _is_matrix(parameter: Tensor) -> bool:
    return sum(side > 1 for side in parameter.shape) >= 2


def to_device(images: Tensor, device: torch.device) -> Tensor:
    """Pictures `(B,H,W,3)` uint8 as `(B,3,H,W)` float32 in [0,1], channels last, on the device.

    To a GPU they travel from pinned memory: the copy takes its turn behind the steps already under
    way there, and nothing waits for it here.
    """
    if device.type == "cuda":
        images = images.pin_memory()
    return images.to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
