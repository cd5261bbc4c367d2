"""ALGNet against the official network's outputs, and its variants against their definitions."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from deblur_cli.models.algnet import ALGBlock, ALGNet
from deblur_cli.models.algnet_config import ALGNetConfig
from tests.models.official import assert_official_gradients
from tests.recipe_weights import fill_by_recipe
from tests.shared import shared_file

SMALL = {"encoder_blocks": (1, 1, 1, 1)}
REPOSITORY = {"encoder_blocks": (2, 2, 4, 8), "middle_blocks": 8, "decoder_blocks": (8, 4, 2, 2)}
SCALES = ("x8", "x4", "x2", "x1")
CASES = {
    "algnet-w8": ({"width": 8, **SMALL}, 11),
    "algnet-w8-tlc": ({"width": 8, **SMALL}, 11),
    "algnet-w16.recipe": ({"width": 16, "encoder_blocks": (2, 1, 1, 1)}, 12),
    "full-algnet32-paper.recipe": ({}, 71),
    "full-algnet32-repo.recipe": (REPOSITORY, 72),
}


@pytest.fixture(autouse=True)
def _scan_that_knows_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBLUR_SCAN_BACKEND", "reference")


def network_of(case: str) -> ALGNet:
    config, seed = CASES[case]
    network = ALGNet(ALGNetConfig(**config)).eval()
    fill_by_recipe(network, seed)
    network.set_local_pooling(32 if case.endswith("tlc") else None)
    return network


def fixture_pairs(tensors: dict[str, Tensor]) -> list[tuple[Tensor, list[Tensor]]]:
    count = sum(key.startswith("in") for key in tensors)
    return [
        (tensors[f"in{j}"], [tensors[f"out{j}.{scale}"] for scale in SCALES]) for j in range(count)
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_outputs_equal_the_official_network(
    case: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    if dtype == torch.float32:
        monkeypatch.delenv("DEBLUR_SCAN_BACKEND")  # the default
    path = shared_file("fixtures", f"{case}.safetensors")
    err32 = float(json.loads(shared_file("fixtures", "index.json").read_text())[path.name]["err32"])
    network = network_of(case).to(dtype)
    for image, expected in fixture_pairs(load_file(path)):
        with torch.no_grad():
            outputs = network(image.to(dtype))
        for output, truth in zip(outputs, expected, strict=True):
            relative = 1e-6 * truth.abs().max().item()
            tolerance = relative if dtype == torch.float64 else 5 * err32
            assert (output.double() - truth.double()).abs().max().item() <= tolerance


def test_the_recipe_fills_as_the_stored_state_dict() -> None:
    stored = load_file(shared_file("fixtures", "algnet-w8.state.safetensors"))
    ours = network_of("algnet-w8").state_dict()
    assert ours.keys() == stored.keys()
    assert all(torch.equal(ours[key], value) for key, value in stored.items())


def test_gradients_equal_the_official_network() -> None:
    network = network_of("algnet-w8").double()

    def loss_of(image: Tensor) -> Tensor:
        return torch.stack([output.square().mean() for output in network(image)]).sum()

    assert_official_gradients("algnet-w8", network, loss_of, smallest_norm=1e-8)


def test_one_block_equals_the_official_block() -> None:
    tensors = load_file(shared_file("fixtures", "algnet-block.safetensors"))
    block = ALGBlock(12, ALGNetConfig(width=12), has_global_branch=True)
    block.load_state_dict({k[3:]: v for k, v in tensors.items() if k.startswith("sd/")})
    block.double()
    output = block(tensors["in0"].double())
    output.square().mean().backward()
    assert (output - tensors["out0"]).abs().max() <= 1e-6 * tensors["out0"].abs().max()
    gradients = {name: p.grad for name, p in block.named_parameters() if p.grad is not None}
    expected = {k[5:]: v for k, v in tensors.items() if k.startswith("grad/")}
    assert gradients.keys() == expected.keys()
    for name, truth in expected.items():
        assert (gradients[name] - truth).abs().max() <= 2e-6 * truth.abs().max() + 1e-9, name


@pytest.mark.parametrize(
    ("fixture", "config"),
    [("w32-paper", {}), ("w32-repo", REPOSITORY), ("w16", CASES["algnet-w16.recipe"][0])],
)
def test_names_and_shapes_are_the_official_ones(fixture: str, config: dict[str, Any]) -> None:
    expected = json.loads(shared_file("fixtures", f"keys-algnet-{fixture}.json").read_text())
    with torch.device("meta"):
        state = ALGNet(ALGNetConfig(**config)).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == expected


@pytest.mark.parametrize(("width", "parameters"), [(32, 37_697_676), (64, 146_641_164)])
def test_the_papers_sizes(width: int, parameters: int) -> None:
    with torch.device("meta"):
        network = ALGNet(ALGNetConfig(width=width))
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize("fusion", ["release", "paper", "sum", "concat"])
def test_fusion_follows_its_formula(fusion: Any) -> None:
    torch.manual_seed(0)
    block = ALGBlock(8, ALGNetConfig(width=8, fusion=fusion), has_global_branch=True).double()
    assert block.g_layer is not None
    assert block.l_layer is not None
    for name in ("lamb_g", "lamb_l", "inside_all"):
        if hasattr(block, name):
            torch.nn.init.normal_(getattr(block, name))
    s = torch.rand(2, 8, 5, 6, dtype=torch.float64)
    g, local = block.g_layer(s), block.l_layer(s)

    def per_channel(values: Tensor) -> Tensor:
        return values.view(1, -1, 1, 1)

    expected = {
        "release": lambda: (
            per_channel(block.lamb_g) * (1 + block.inside_all) * g
            + per_channel(block.lamb_l) * local
        ),
        "paper": lambda: g + per_channel(block.lamb_l) * local,
        "sum": lambda: g + local,
        "concat": lambda: block.conv3_2(torch.cat((g, local), dim=1)),
    }[fusion]()
    torch.testing.assert_close(block._aggregate(s), expected)


def test_every_block_of_the_release_starts_as_the_identity() -> None:
    x = torch.rand(1, 8, 6, 7)
    block = ALGBlock(8, ALGNetConfig(width=8), has_global_branch=True)
    assert torch.equal(block(x), x)


def test_switched_off_branches_leave_no_parameters() -> None:
    config = ALGNetConfig(width=8, **SMALL, global_levels=(), local_branch=False, fusion="sum")
    network = ALGNet(config)
    assert not [key for key in network.state_dict() if "layer" in key]
    assert network(torch.rand(1, 3, 16, 16))[-1].shape == (1, 3, 16, 16)


def test_a_stem_works_at_lower_resolution_and_restores_full_size() -> None:
    config = ALGNetConfig(
        width=8, encoder_blocks=(1, 1), decoder_blocks=(1, 1), stem=2, global_levels=(2,)
    )
    shapes = [tuple(y.shape[-2:]) for y in ALGNet(config)(torch.rand(1, 3, 24, 40))]
    assert shapes == [(6, 10), (24, 40)]


def test_side_outputs_do_not_change_the_result() -> None:
    network = network_of("algnet-w8")
    image = torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        (alone,) = network(image, side_outputs=False)
        assert torch.equal(alone, network(image)[-1])
