"""The training loop: draw, restore, compare, step; ends annealed, may be interrupted anywhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from deblur_cli.errors import DeblurError
from deblur_cli.training.losses import deep_supervision
from deblur_cli.training.recipe import Optimiser
from deblur_cli.training.schedule import Budget, learning_rate_factor
from deblur_cli.training.state import (
    Progress,
    Run,
    export_weights,
    open_folder,
    save_state,
)

SAVE_EVERY_SECONDS = 300.0
LOG_EVERY_STEPS = 100
SMOOTHING = 0.99

ERROR_FLOOR = 1e-4
"""Mean squared error (40 dB) that is added to every error in the logged gain.

Smaller errors then count nearly alike: for patches that came unblurred, what little the network
changes would otherwise outweigh what it gains on the others.
"""


@dataclass(frozen=True)
class Report:
    """A line of the training log."""

    step: int
    progress: float
    """Share of the budget that is spent."""
    learning_rate: float
    loss: float
    """Running mean."""
    gain: float
    """Running mean of `floored_gain`, in dB."""
    patches_per_second: float


def fit(
    run: Run,
    seconds: float,
    precision: torch.dtype,
    on_report: Callable[[Report], None],
    stop: threading.Event,
) -> bool:
    """Train until the time is up or `stop` is set; go on where an interrupted run stood.

    Args:
        run: its model is trained in place; its folder takes recipe, state and the weights.
        seconds: length of the whole run; the learning rate is annealed over it.
        precision: of convolutions and projections (autocast); parameters stay float32.
        on_report: called every `LOG_EVERY_STEPS` steps.
        stop: once set, the step in hand is the last.

    Returns:
        Whether the run came to its end; False if it was interrupted and can be resumed.

    Raises:
        UsageError: the folder holds a run of another recipe.
        DeblurError: the folder cannot be written, or the loss became infinite or NaN.
    """
    run.model.train()
    start = open_folder(run)
    budget, step = Budget(seconds, start.spent), start.step
    running, last_save = _Running(), time.monotonic()
    settings = run.recipe.optimiser
    while (progress := budget.progress) < 1 and not stop.is_set():
        factor = learning_rate_factor(progress, step, settings.warmup_steps)
        rate = settings.learning_rate * factor
        blurred, sharp = _to_tensors(*run.stream.batch(settings.batch, progress))
        loss, restored = _step(run, rate, blurred, sharp, precision)
        running.add(loss, floored_gain(blurred, restored, sharp), len(blurred))
        step += 1
        if step % LOG_EVERY_STEPS == 0:
            on_report(running.report(step, progress, rate))
        if time.monotonic() - last_save > SAVE_EVERY_SECONDS:
            save_state(run, Progress(step, budget.spent))
            last_save = time.monotonic()
    save_state(run, Progress(step, budget.spent))
    export_weights(run.folder / "weights.safetensors", run.model)
    return budget.progress >= 1


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


def _step(
    run: Run, rate: float, blurred: Tensor, sharp: Tensor, precision: torch.dtype
) -> tuple[float, Tensor]:
    for group in run.optimiser.param_groups:
        group["lr"] = rate
    with torch.autocast(blurred.device.type, precision, enabled=precision != torch.float32):
        outputs = run.model.network(blurred)
    loss = deep_supervision([output.float() for output in outputs], sharp, run.recipe.loss)
    if not loss.isfinite():
        raise DeblurError(
            "the loss is no longer a finite number",
            path=run.folder,
            remedy="go on from the last saved state, or start again with a lower --learning-rate",
        )
    run.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(run.model.parameters(), run.recipe.optimiser.clip_norm)
    run.optimiser.step()
    return loss.item(), outputs[-1].detach()


def _to_tensors(
    blurred: npt.NDArray[np.uint8], sharp: npt.NDArray[np.uint8]
) -> tuple[Tensor, Tensor]:
    def tensor(images: npt.NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255

    return tensor(blurred), tensor(sharp)


def floored_gain(blurred: Tensor, restored: Tensor, sharp: Tensor) -> float:
    """Mean over patches `(B,3,H,W)` in [0,1] of the PSNR gained, errors raised by `ERROR_FLOOR`."""

    def log_error(images: Tensor) -> Tensor:
        return 10 * torch.log10((images - sharp).square().mean((1, 2, 3)) + ERROR_FLOOR)

    return (log_error(blurred) - log_error(restored.float().clamp(0, 1))).mean().item()


class _Running:
    """Exponential means for the log."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.patches = 0
        self.weight = self.loss = self.gain = 0.0

    def add(self, loss: float, gain: float, patches: int) -> None:
        self.patches += patches
        self.weight = SMOOTHING * self.weight + (1 - SMOOTHING)
        self.loss = SMOOTHING * self.loss + (1 - SMOOTHING) * loss
        self.gain = SMOOTHING * self.gain + (1 - SMOOTHING) * gain

    def report(self, step: int, progress: float, rate: float) -> Report:
        return Report(
            step=step,
            progress=progress,
            learning_rate=rate,
            loss=self.loss / self.weight,
            gain=self.gain / self.weight,
            patches_per_second=self.patches / (time.monotonic() - self.start),
        )
