"""MPRNet: FCN, whose outputs are known, without its additions; and its layouts."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.errors import UsageError
from deblur_cli.models.fcn import FCN, FCNConfig
from deblur_cli.models.layers import AveragePool
from deblur_cli.models.mprnet import COLUMNS, ROWS, MPRNet, join, split
from deblur_cli.models.mprnet_config import MPRNetConfig, infer_config
from tests.recipe_weights import fill_by_recipe
from tests.shared import shared_file

TINY = {"width": 8, "unet_step": 4, "full_resolution_step": 4, "attention_blocks": 1}
ADDITIONS = ("shallow_feat0.", "attention_", "stage1_decoder1.")


def tiny_network() -> MPRNet:
    network = MPRNet(MPRNetConfig(**TINY)).eval()
    fill_by_recipe(network, seed=5, gain=0.7)
    return network


def test_it_is_an_fcn_whose_additions_are_silent() -> None:
    fcn, mprnet = FCN(FCNConfig(**TINY)).double(), tiny_network().double()
    fcn.load_state_dict(mprnet.state_dict(), strict=False)
    for parameter in fcn.shallow_feat0.parameters():
        torch.nn.init.zeros_(parameter)
    image = torch.rand(2, 3, 16, 24, dtype=torch.float64)
    with torch.no_grad():
        for ours, silent in zip(mprnet(image), fcn(image), strict=True):
            torch.testing.assert_close(ours, silent)


def test_names_and_shapes_are_the_official_ones() -> None:
    of_fcn = json.loads(shared_file("fixtures", "keys-fcn.json").read_text())
    with torch.device("meta"):
        state = MPRNet(MPRNetConfig()).state_dict()
    shapes = {key: list(value.shape) for key, value in state.items()}
    assert shapes == {k: v for k, v in of_fcn.items() if not k.startswith(ADDITIONS)}


def test_the_releases_size() -> None:
    with torch.device("meta"):
        network = MPRNet(MPRNetConfig())
    assert sum(p.numel() for p in network.parameters()) == 20_127_073


def test_all_blocks_share_one_slope() -> None:
    state = tiny_network().state_dict()
    slopes = {value.data_ptr() for value in state.values() if value.shape == (1,)}
    assert len(slopes) == 1


@given(st.integers(1, 3), st.integers(1, 4), st.sampled_from([ROWS, COLUMNS]))
@settings(max_examples=15, deadline=None)
def test_what_was_split_is_joined_again(batch: int, parts: int, dim: int) -> None:
    x = torch.rand(batch, 2, 3 * parts, 5 * parts)
    pieces = split(x, dim, parts)
    torch.testing.assert_close(
        pieces[-batch:], x.narrow(dim, -(x.shape[dim] // parts), x.shape[dim] // parts)
    )
    assert torch.equal(join(pieces, dim, parts), x)


def test_the_claimed_multiple_is_the_smallest_that_works() -> None:
    network = tiny_network()

    def works(height: int, width: int) -> bool:
        try:
            with torch.no_grad():
                return bool(
                    network(torch.rand(1, 3, height, width))[0].shape[-2:] == (height, width)
                )
        except RuntimeError:
            return False

    sizes = [side for side in range(1, 33) if works(side, 16) and works(16, side)]
    assert sizes == list(range(network.size_multiple, 33, network.size_multiple))


def test_the_last_stage_comes_first() -> None:
    network, image = tiny_network(), torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        (alone,) = network(image, side_outputs=False)
        stages = network(image)
    assert len(stages) == 3
    assert torch.equal(alone, stages[network.final_output])


def test_windows_are_those_of_the_stages_parts() -> None:
    network = tiny_network()
    network.set_local_pooling(64)
    windows = {
        name: module.window
        for name, module in network.named_modules()
        if isinstance(module, AveragePool)
    }
    assert windows["shallow_feat1.1.CA.pool"] == (48, 48)
    assert windows["stage1_encoder.encoder_level3.0.CA.pool"] == (12, 12)
    assert windows["stage1_decoder.decoder_level1.0.CA.pool"] == (48, 96)
    assert windows["stage2_encoder.encoder_level2.1.CA.pool"] == (24, 48)
    assert windows["stage2_decoder.skip_attn2.CA.pool"] == (48, 48)
    assert windows["stage3_orsnet.orb3.body.0.CA.pool"] == (96, 96)
    assert None not in windows.values()


@st.composite
def layouts(draw: st.DrawFn) -> MPRNetConfig:
    reduction = draw(st.integers(1, 4))
    multiples = st.integers(0, 3).map(lambda factor: factor * reduction)
    return MPRNetConfig(
        width=draw(multiples) + reduction,
        unet_step=draw(multiples),
        full_resolution_step=draw(multiples),
        attention_blocks=draw(st.integers(1, 3)),
        reduction=reduction,
    )


@given(layouts())
@settings(max_examples=15, deadline=None)
def test_a_layout_is_read_back_from_its_state_dict(config: MPRNetConfig) -> None:
    with torch.device("meta"):
        state = MPRNet(config).state_dict()
    assert infer_config(state) == config


@pytest.mark.parametrize(
    "settings_",
    [
        {"width": 0},
        {"width": 98},
        {"unet_step": 2},
        {"unet_step": -4},
        {"full_resolution_step": 30},
        {"attention_blocks": 0},
        {"reduction": 0},
    ],
)
def test_impossible_layouts_are_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="MPRNet"):
        MPRNetConfig(**settings_)
