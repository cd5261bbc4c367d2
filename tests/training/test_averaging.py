"""The running mean of the weights."""

from __future__ import annotations

import copy

import numpy as np
import torch

from deblur_cli.models import create_model
from deblur_cli.training.averaging import WeightAverage


def test_the_mean_follows_its_formula_and_leaves_the_network_alone() -> None:
    model = create_model("algnet", width=4, encoder_blocks=[1], decoder_blocks=[1], stem=2)
    average = WeightAverage(model, decay=0.3)
    weights = dict(model.named_parameters())
    expected = {name: value.detach().double() for name, value in weights.items()}
    rng = np.random.default_rng(0)
    for step in range(12):
        with torch.no_grad():
            for value in weights.values():
                value += torch.from_numpy(rng.normal(size=value.shape)).float()
        before = copy.deepcopy(model.state_dict())
        average.follow(model)
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
        decay = min(0.3, (1 + step) / (10 + step))
        for name, value in weights.items():
            expected[name] = decay * expected[name] + (1 - decay) * value.detach().double()
    for name, mean in average.model.named_parameters():
        torch.testing.assert_close(mean.double(), expected[name], rtol=1e-5, atol=1e-5)
