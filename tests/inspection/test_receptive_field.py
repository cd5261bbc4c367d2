from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deblur_cli.inspection.receptive_field import receptive_field, side_of_share
from deblur_cli.models import create_model


class Adding(nn.Module):
    """Adds to every pixel what a convolution makes of its neighbourhood."""

    def __init__(self, kernel: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(kernel.expand(3, 1, -1, -1).clone())

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.conv2d(x, self.weight, padding=self.weight.shape[-1] // 2, groups=3)


def test_field_of_a_convolution_is_its_kernel() -> None:
    kernel = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    crops = [torch.rand(1, 3, 16, 20), torch.rand(1, 3, 16, 20)]
    field = receptive_field(Adding(kernel), crops)
    assert field.shape == (16, 20)
    np.testing.assert_allclose(field[6:11, 8:13], 3 * kernel.abs(), rtol=1e-6)
    assert field.sum() == pytest.approx(float(3 * kernel.abs().sum()), rel=1e-6)


def test_parameters_are_left_as_they_were() -> None:
    model = Adding(torch.ones(3, 3))
    receptive_field(model, [torch.rand(1, 3, 8, 8)])
    assert model.weight.requires_grad
    assert model.weight.grad is None


@pytest.mark.parametrize(("share", "side"), [(0.01, 1), (0.04, 1), (0.05, 3), (0.36, 3), (1.0, 5)])
def test_sides_of_a_flat_square(share: float, side: int) -> None:
    field = np.zeros((11, 12))
    field[3:8, 4:9] = 1 / 25
    assert side_of_share(field, share) == side


def test_field_of_a_network_that_adds_nothing() -> None:
    field = receptive_field(Adding(torch.zeros(3, 3)), [torch.rand(1, 3, 8, 8)])
    assert not field.any()
    assert side_of_share(field, 0.9) == 1


def test_local_pooling_bounds_the_field() -> None:
    torch.manual_seed(0)
    model = create_model("nafnet", width=4, encoder_blocks=(1,), decoder_blocks=(1,)).eval()
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.2)
    crop = torch.rand(1, 3, 64, 64)
    everywhere = receptive_field(model, [crop])
    assert everywhere[0, 0] > 0
    model.set_local_pooling(8)
    nearby = receptive_field(model, [crop])
    assert nearby[0, 0] == 0
    assert nearby[32, 32] > 0
