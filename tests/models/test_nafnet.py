"""NAFNet against the official network's outputs, and its layouts."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

from deblur_cli.errors import UsageError
from deblur_cli.models.layers import AveragePool
from deblur_cli.models.nafnet import NAFBlock, NAFNet, NAFNetConfig, infer_config
from tests.recipe_weights import fill_by_recipe
from tests.shared import shared_file

SMALL = NAFNetConfig(width=8, encoder_blocks=(1, 1, 1, 2))
POOLINGS = {"x1": None, "tlc32": 32}


def small_network() -> NAFNet:
    network = NAFNet(SMALL).eval()
    fill_by_recipe(network, seed=61)
    return network


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_outputs_equal_the_official_network(pooling: str, dtype: torch.dtype) -> None:
    path = shared_file("fixtures", "nafnet-w8.safetensors")
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        err32 = float(file.metadata()["err32"])
    network = small_network().to(dtype)
    network.set_local_pooling(POOLINGS[pooling])
    for j in range(3):
        truth = tensors[f"out{j}.{pooling}"].double()
        with torch.no_grad():
            (output,) = network(tensors[f"in{j}"].to(dtype))
        assert output.shape == truth.shape
        tolerance = 1e-6 * truth.abs().max() if dtype == torch.float64 else 5 * err32
        assert (output.double() - truth).abs().max() <= tolerance


def test_the_recipe_fills_as_the_stored_state_dict() -> None:
    stored = load_file(shared_file("fixtures", "nafnet-w8.state.safetensors"))
    ours = small_network().state_dict()
    assert ours.keys() == stored.keys()
    assert all(torch.equal(ours[key], value) for key, value in stored.items())


def test_names_and_shapes_are_the_official_ones() -> None:
    expected = json.loads(shared_file("fixtures", "keys-nafnet-w64.json").read_text())
    with torch.device("meta"):
        state = NAFNet(NAFNetConfig(width=64)).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == expected


@pytest.mark.parametrize(("width", "parameters"), [(32, 17_111_907), (64, 67_888_835)])
def test_the_releases_sizes(width: int, parameters: int) -> None:
    with torch.device("meta"):
        network = NAFNet(NAFNetConfig(width=width))
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_every_block_starts_as_the_identity() -> None:
    x = torch.rand(1, 8, 6, 7)
    assert torch.equal(NAFBlock(8)(x), x)


def test_a_block_follows_its_formula() -> None:
    torch.manual_seed(0)
    block = NAFBlock(6).double()
    for scale in (block.beta, block.gamma):
        torch.nn.init.normal_(scale)
    x = torch.rand(2, 6, 5, 7, dtype=torch.float64)
    t = block.conv2(block.conv1(block.norm1(x)))
    s = t[:, :6] * t[:, 6:]
    s = s * block.sca[1](s.mean((2, 3), keepdim=True))
    y = x + block.beta * block.conv3(s)
    u = block.conv4(block.norm2(y))
    torch.testing.assert_close(block(x), y + block.gamma * block.conv5(u[:, :6] * u[:, 6:]))


def test_windows_of_the_releases_patches() -> None:
    network = NAFNet(NAFNetConfig(width=2))
    network.set_local_pooling(256)

    def windows(part: torch.nn.Module) -> set[tuple[int, int] | None]:
        return {module.window for module in part.modules() if isinstance(module, AveragePool)}

    sides = [384, 192, 96, 48]
    assert [windows(blocks) for blocks in network.encoders] == [{(s, s)} for s in sides]
    assert [windows(blocks) for blocks in network.decoders] == [{(s, s)} for s in sides[::-1]]
    assert windows(network.middle_blks) == {(24, 24)}
    network.set_local_pooling(None)
    assert windows(network) == {None}


@st.composite
def layouts(draw: st.DrawFn) -> NAFNetConfig:
    blocks = st.tuples(*[st.integers(1, 3)] * draw(st.integers(1, 4)))
    return NAFNetConfig(
        width=draw(st.sampled_from([2, 8, 30])),
        encoder_blocks=(encoder := draw(blocks)),
        middle_blocks=draw(st.integers(1, 3)),
        decoder_blocks=draw(st.tuples(*[st.integers(1, 3)] * len(encoder))),
    )


@given(layouts())
@settings(max_examples=20, deadline=None)
def test_a_layout_is_read_back_from_its_state_dict(config: NAFNetConfig) -> None:
    with torch.device("meta"):
        state = NAFNet(config).state_dict()
    assert infer_config(state) == config


@pytest.mark.parametrize(
    "settings_",
    [
        {"encoder_blocks": (1, 1)},
        {"encoder_blocks": (), "decoder_blocks": ()},
        {"encoder_blocks": (0, 1), "decoder_blocks": (1, 1)},
        {"middle_blocks": 0},
        {"width": 3},
        {"width": 0},
    ],
)
def test_impossible_layouts_are_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="NAFNet"):
        NAFNetConfig(**settings_)
