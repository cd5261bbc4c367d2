from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from deblur_cli.inspection.blocks import block_features, branch_activations
from deblur_cli.models import RestorationModel, create_model

ALGNET = {
    "width": 4,
    "state_size": 4,
    "encoder_blocks": (1, 2),
    "middle_blocks": 1,
    "decoder_blocks": (1, 1),
    "global_levels": (1,),
}
LAST = ["encoders.0.0", "encoders.1.1", "middle_blks.0", "decoders.0.0", "decoders.1.0"]
OTHERS: dict[str, dict[str, Any]] = {
    "nafnet": {"width": 4, "encoder_blocks": (1, 2), "decoder_blocks": (1, 1)},
    "xyscannet": {"width": 4, "blocks": (1, 2, 1)},
    "mprnet": {"width": 4, "unet_step": 4, "full_resolution_step": 4, "attention_blocks": 2},
    "fcn": {"width": 4, "unet_step": 4, "full_resolution_step": 4, "attention_blocks": 2},
    "maxim": {"features": 4, "stages": 1, "block_hr": 4, "block_lr": 2},
}


@pytest.fixture
def model() -> RestorationModel:
    """As initialised: every block is the identity."""
    torch.manual_seed(1)
    return create_model("algnet", **ALGNET).eval()


@pytest.fixture
def crop() -> torch.Tensor:
    return torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(2))


def test_activations_are_means_of_the_bare_branches_after_relu(
    model: RestorationModel, crop: torch.Tensor
) -> None:
    seen: dict[str, torch.Tensor] = {}
    block = model.network.get_submodule("encoders.1.1")
    for part in (block.g_layer, block.l_layer):
        part.register_forward_pre_hook(lambda m, inputs: seen.update({type(m).__name__: inputs[0]}))
    found = branch_activations(model, crop)
    assert [x.block for x in found] == LAST
    (chosen,) = (x for x in found if x.block == "encoders.1.1")
    with torch.no_grad():
        tokens = block.g_layer.norm(seen["GlobalBranch"].permute(0, 2, 3, 1).flatten(1, 2))
        global_branch = block.g_layer.mamba(tokens)
        s, local = seen["LocalBranch"], block.l_layer
        local_branch = local.conv2(s * local.conv1(s.mean((2, 3), keepdim=True)))
    expected = global_branch.clamp(min=0).mean((0, 1)).numpy()
    np.testing.assert_allclose(chosen.global_branch, expected, rtol=1e-4, atol=1e-7)
    expected = local_branch.clamp(min=0).mean((0, 2, 3)).numpy()
    np.testing.assert_allclose(chosen.local_branch, expected, rtol=1e-4, atol=1e-7)
    assert chosen.global_branch.any()


def test_absent_branches_are_none(model: RestorationModel, crop: torch.Tensor) -> None:
    found = {x.block: x for x in branch_activations(model, crop)}
    assert found["middle_blks.0"].global_branch is None
    assert found["middle_blks.0"].local_branch is not None


@pytest.mark.parametrize("architecture", OTHERS)
def test_other_networks_have_no_branches_but_blocks(architecture: str, crop: torch.Tensor) -> None:
    torch.manual_seed(3)
    model = create_model(architecture, **OTHERS[architecture]).eval()
    assert branch_activations(model, crop) == []
    found = block_features(model, crop)
    assert len(found) > 2
    for features in found:
        assert features.before.shape == features.after.shape == features.change.shape
        assert np.isfinite(features.after).all()


def test_features_of_blocks_that_change_nothing(
    model: RestorationModel, crop: torch.Tensor
) -> None:
    found = block_features(model, crop)
    assert [x.block for x in found] == LAST
    assert all(np.array_equal(x.before, x.after) and not x.change.any() for x in found)
    assert [x.channels for x in found] == [4, 8, 16, 8, 4]
    assert [x.after.shape for x in found] == [(32, 48), (16, 24), (8, 12), (16, 24), (32, 48)]


def test_features_are_root_mean_squares_over_the_channels(
    model: RestorationModel, crop: torch.Tensor
) -> None:
    seen: list[torch.Tensor] = []
    block = model.network.get_submodule("decoders.1.0")
    torch.nn.init.normal_(block.beta)
    block.register_forward_hook(lambda _, inputs, output: seen.extend((inputs[0], output)))
    features = block_features(model, crop)[-1]
    before, after = (x.numpy()[0] for x in seen)
    for found, expected in (
        (features.before, before),
        (features.after, after),
        (features.change, after - before),
    ):
        np.testing.assert_allclose(found, np.sqrt((expected**2).mean(0)), rtol=1e-5)
    assert features.change.any()


def test_nothing_stays_hooked(model: RestorationModel, crop: torch.Tensor) -> None:
    branch_activations(model, crop)
    block_features(model, crop)
    assert not any(module._forward_hooks for module in model.modules())
