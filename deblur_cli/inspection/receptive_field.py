"""Which pixels of the input the result at one pixel depends on, and how much."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deblur_cli.models import RestorationModel


def receptive_field(model: RestorationModel, crops: Iterable[Tensor]) -> npt.NDArray[np.float64]:
    """Mean size of the gradient of what the network adds to the centre, by each input pixel.

    The input itself, which every network adds to its output, is left out: it would hide the rest.

    Args:
        model: in evaluation mode; its parameters take no part.
        crops: equal ones, `(1,3,h,w)`, where the model lies.

    Returns:
        `(h,w)`, sums over the colours; the centre is at `(h // 2, w // 2)`.
    """
    fields = [_gradient(model, crop) for crop in crops]
    mean: npt.NDArray[np.float64] = np.mean(fields, axis=0)
    return mean


def side_of_share(field: npt.NDArray[np.float64], share: float) -> int:
    """Side in pixels of the smallest square around the centre that holds this share of a field."""
    height, width = field.shape
    row, column = height // 2, width // 2
    rows, columns = np.ogrid[:height, :width]
    distances = np.maximum(abs(rows - row), abs(columns - column))
    within = np.cumsum(np.bincount(distances.ravel(), weights=field.ravel()))
    reached = int(np.searchsorted(within, share * within[-1]))
    return 2 * min(reached, len(within) - 1) + 1


def _gradient(model: RestorationModel, crop: Tensor) -> npt.NDArray[np.float64]:
    frozen = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.requires_grad_(False)
    try:
        leaf = crop.detach().clone().requires_grad_()
        height, width = leaf.shape[-2:]
        added = (model(leaf) - leaf)[..., height // 2, width // 2]
        (gradient,) = torch.autograd.grad(added.sum(), leaf)
    finally:
        for parameter in frozen:
            parameter.requires_grad_()
    field: npt.NDArray[np.float64] = gradient.abs().sum((0, 1)).double().cpu().numpy()
    return field
