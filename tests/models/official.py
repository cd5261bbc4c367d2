"""The gradients of an official network, as its fixture has them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.shared import shared_file


def assert_official_gradients(
    fixture: str,
    network: nn.Module,
    loss_of: Callable[[Tensor], Tensor],
    smallest_norm: float = 1e-12,
) -> None:
    """The loss, its gradient by the image, and the norms of those by the parameters.

    Args:
        fixture: its name.
        network: in float64.
        loss_of: what the official loss is of an image.
        smallest_norm: what is less may as well be zero.
    """
    path = shared_file("fixtures", f"{fixture}.safetensors")
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        order = json.loads(file.metadata()["grad_param_order"])
    image = tensors["in0"].double().requires_grad_()
    loss = loss_of(image)
    loss.backward()
    assert image.grad is not None
    assert loss.item() == pytest.approx(tensors["grad.loss"].item(), rel=1e-6)
    scale = tensors["grad.in0"].abs().max()
    assert (image.grad - tensors["grad.in0"]).abs().max() <= 1e-6 * scale
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    assert gradients.keys() == set(order)
    norms = [gradients[name].norm().item() for name in order]
    expected = tensors["grad.param_norms"].tolist()
    assert norms == pytest.approx(expected, rel=1e-5, abs=smallest_norm)
