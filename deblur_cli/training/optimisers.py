"""What changes the parameters: AdamW, or Muon for the matrices among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from deblur_cli.errors import UsageError
from deblur_cli.training.recipe import Optimiser

PLACED = {"lr", "capturable"}
"""What an optimiser has in another form on a GPU."""


def make_optimiser(trained: nn.Module, settings: Optimiser) -> torch.optim.Optimizer:
    """The recipe's optimiser; only matrices and kernels decay.

    Args:
        trained: on its device, channels last.
        settings: of the recipe.

    Raises:
        UsageError: the recipe asks for Muon, and torch has none.
    """
    named = [(n, p) for n, p in trained.named_parameters() if p.requires_grad and p.numel()]
    if settings.kind == "adamw":
        return _adamw(named, settings)
    matrices = [p for n, p in named if _decays(n, p) and _mixes_channels(p)]
    chosen = set(matrices)
    return MuonBesideAdamW(
        matrices, _adamw([(n, p) for n, p in named if p not in chosen], settings), settings
    )


def _adamw(named: Sequence[tuple[str, nn.Parameter]], settings: Optimiser) -> torch.optim.AdamW:
    groups = [
        {"params": [p for n, p in named if _decays(n, p)], "weight_decay": settings.weight_decay},
        {"params": [p for n, p in named if not _decays(n, p)], "weight_decay": 0.0},
    ]
    on_gpu = any(p.is_cuda for _, p in named)
    rate = torch.tensor(settings.learning_rate, device="cuda") if on_gpu else settings.learning_rate
    return torch.optim.AdamW(groups, lr=rate, betas=settings.betas, fused=True, capturable=on_gpu)


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Go on where another one of the same parameters stood, perhaps on another kind of device."""
    own = [{key: group[key] for key in PLACED & group.keys()} for group in optimiser.param_groups]
    optimiser.load_state_dict(state)
    for group, placed in zip(optimiser.param_groups, own, strict=True):
        group.update(placed)


def _decays(name: str, parameter: Tensor) -> bool:
    return sum(side > 1 for side in parameter.shape) >= 2 and not name.endswith("A_log")


def _mixes_channels(parameter: Tensor) -> bool:
    """Whether it is a matrix between channels: of a projection, or of a convolution's kernel."""
    return parameter.ndim in (2, 4) and min(parameter.shape[:2]) > 1


class MuonBesideAdamW(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024) for matrices `(O,I)` and kernels `(O,I,H,W)`, AdamW for the rest.

    Both have the learning rate of the first group: Muon's steps are scaled to the size of AdamW's.
    With a gradient scaler a step waits for the device.

    Args:
        matrices: kernels must be channels last.
        adamw: of all other parameters.
        settings: of the recipe.

    Raises:
        UsageError: torch has no Muon.
    """

    def __init__(
        self, matrices: Sequence[nn.Parameter], adamw: torch.optim.AdamW, settings: Optimiser
    ) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise UsageError(
                f"optimiser.kind is muon, which torch {torch.__version__} does not have",
                remedy="install torch 2.9 or later, or use --set optimiser.kind=adamw",
            )
        self._matrices = matrices
        self._views = [nn.Parameter(_as_matrix(one.detach(), Tensor.view)) for one in matrices]
        self._muon = torch.optim.Muon(
            self._views,
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        )
        self._adamw = adamw
        others = [p for group in adamw.param_groups for p in group["params"]]
        super().__init__([*matrices, *others], {"lr": settings.learning_rate})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change all parameters by their gradients."""
        for view, matrix in zip(self._views, self._matrices, strict=True):
            view.grad = None if matrix.grad is None else _as_matrix(matrix.grad, Tensor.reshape)
        both: tuple[torch.optim.Optimizer, ...] = (self._muon, self._adamw)
        for optimiser in both:
            for group in optimiser.param_groups:
                group["lr"] = self.param_groups[0]["lr"]
            optimiser.step()

    def state_dict(self) -> dict[str, Any]:
        """Both optimisers' state."""
        return {"muon": self._muon.state_dict(), "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._muon.load_state_dict(state_dict["muon"])
        self._adamw.load_state_dict(state_dict["adamw"])


def _as_matrix(kernel: Tensor, shaped: Callable[[Tensor, tuple[int, int]], Tensor]) -> Tensor:
    """`(O,I,...)` as `(O,...*I)`, a view if that is how `shaped` works."""
    return shaped(kernel.movedim(1, -1), (len(kernel), -1))
