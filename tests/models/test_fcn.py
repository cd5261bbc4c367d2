"""FCN against the official network's outputs and gradients, and what differs from it on purpose."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn

from deblur_cli.errors import UsageError
from deblur_cli.models.fcn import FCN, FCNConfig, Norm, infer_config
from tests.models.official import assert_official_gradients
from tests.recipe_weights import fill_by_recipe
from tests.shared import shared_file

SMALL = {"width": 16, "unet_step": 8, "full_resolution_step": 8, "attention_blocks": 2}
TINY = {"width": 8, "unet_step": 4, "full_resolution_step": 4, "attention_blocks": 1}
STAGES = ("stage3", "stage2", "stage1")


def small_network(norm: Norm = "image") -> FCN:
    network = FCN(FCNConfig(**SMALL, norm=norm)).eval()
    fill_by_recipe(network, seed=51)
    return network


def tiny_network(**config: Any) -> FCN:
    network = FCN(FCNConfig(**TINY, **config)).eval()
    fill_by_recipe(network, seed=6, gain=0.7)
    return network


def assert_stages(outputs: list[Tensor], name: str, j: int) -> None:
    path = shared_file("fixtures", name)
    index = json.loads(shared_file("fixtures", "index.json").read_text())
    tensors, err32 = load_file(path), float(index[name]["err32"])
    for output, stage in zip(outputs, STAGES, strict=True):
        truth = tensors[f"out{j}.{stage}"].double()
        in_double = output.dtype == torch.float64
        tolerance = 1e-6 * truth.abs().max().item() if in_double else 5 * err32
        assert (output.double() - truth).abs().max().item() <= tolerance, stage


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("norm", "j"), [("image", 0), ("batch", 0), ("batch", 1)])
def test_outputs_equal_the_official_network(norm: Norm, j: int, dtype: torch.dtype) -> None:
    name = "fcn-small.safetensors"
    image = load_file(shared_file("fixtures", name))[f"in{j}"]
    with torch.no_grad():
        assert_stages(small_network(norm).to(dtype)(image.to(dtype)), name, j)


def test_outputs_of_the_papers_size_equal_the_official_network() -> None:
    name = "full-fcn.recipe.safetensors"
    image = load_file(shared_file("fixtures", name))["in0"]
    with torch.device("meta"):
        network = FCN(FCNConfig()).eval()
    network.to_empty(device="cpu")
    fill_by_recipe(network, seed=74, gain=0.7)
    with torch.no_grad():
        assert_stages(network(image), name, 0)


def test_parts_equal_the_official_parts() -> None:
    taps = load_file(shared_file("fixtures", "fcn-small.taps.safetensors"))
    image = load_file(shared_file("fixtures", "fcn-small.safetensors"))["in0"]
    network, seen = small_network().double(), dict[str, Tensor]()

    def keep(name: str) -> Any:
        def hook(_: nn.Module, inputs: Any, output: Any) -> None:
            seen[f"tap/{name}"] = output if isinstance(output, Tensor) else output[0]

        return hook

    for name, module in network.named_children():
        module.register_forward_hook(keep(name))
    with torch.no_grad():
        network(image.double())
    for name, truth in taps.items():
        last_part = seen[name][-1:]  # the official one calls its modules part by part
        assert (last_part - truth).abs().max() <= 1e-6 * truth.abs().max(), name


def test_gradients_equal_the_official_network() -> None:
    network = small_network().double()

    def loss_of(image: Tensor) -> Tensor:
        return torch.stack([output.square().mean() for output in network(image)]).sum()

    assert_official_gradients("fcn-small", network, loss_of)


def test_the_recipe_fills_as_the_stored_state_dict() -> None:
    stored = load_file(shared_file("fixtures", "fcn-small.state.safetensors"))
    ours = small_network().state_dict()
    assert ours.keys() == stored.keys()
    assert all(torch.equal(ours[key], value) for key, value in stored.items())


def test_names_and_shapes_are_the_official_ones() -> None:
    expected = json.loads(shared_file("fixtures", "keys-fcn.json").read_text())
    with torch.device("meta"):
        state = FCN(FCNConfig()).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == expected


def test_the_papers_size_counts_what_is_used() -> None:
    with torch.device("meta"):
        network = FCN(FCNConfig())
    sizes = {name: p.numel() for name, p in network.named_parameters()}
    unused = sum(size for name, size in sizes.items() if name.startswith("stage1_decoder1."))
    assert sum(sizes.values()) == 21_826_561
    assert sum(sizes.values()) - unused == 20_309_377


def test_images_of_a_batch_touch_each_other_in_the_release_only() -> None:
    images = torch.stack((torch.rand(3, 16, 24), 10 * torch.rand(3, 16, 24))).double()
    apart, coupled = tiny_network().double(), tiny_network(norm="batch").double()
    with torch.no_grad():
        alone = torch.cat([apart(image[None])[0] for image in images])
        torch.testing.assert_close(apart(images)[0], alone)
        assert (coupled(images)[0] - alone).abs().max() > 1e-3
        torch.testing.assert_close(coupled(images[:1])[0], alone[:1])


@pytest.mark.parametrize("variant", ["release", "paper"])
def test_stage_0_works_on_eighths_and_weighs_its_features(variant: Any) -> None:
    network = tiny_network(variant=variant).double()
    halves = torch.rand(2, 3, 8, 16, dtype=torch.float64)
    eighths = [[half[:, :, 4 * k : 4 * k + 4] for k in range(4)] for half in halves]

    def weighed(x: Tensor) -> Tensor:
        over = (1, 2, 3) if variant == "release" else (1,)
        unit = (x - x.mean(over, keepdim=True)) / x.var(over, correction=0, keepdim=True).sqrt()
        if variant == "paper":
            unit = unit * network.norm0.weight.view(-1, 1, 1) + network.norm0.bias.view(-1, 1, 1)
        return x * torch.sigmoid(network.attention_up(network.attention_down(unit)))

    seen: list[Tensor] = []
    network.stage1_decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0]))
    network.stage1_encoder.register_forward_hook(
        lambda _, inputs, encoded: [torch.zeros_like(features) for features in encoded]
    )
    with torch.no_grad():
        network(torch.cat(tuple(halves), dim=1)[None])
        upper, lower = (
            torch.cat([network.shallow_feat0(part[None]) for part in half], dim=3)
            for half in eighths
        )
        lower = lower if variant == "release" else weighed(lower)
        torch.testing.assert_close(
            seen[0], torch.cat((weighed(upper), lower)), rtol=1e-4, atol=1e-4
        )


def test_the_papers_stage_0_restores_an_image_too() -> None:
    network, image = tiny_network(variant="paper"), torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        stages = network(image)
        torch.nn.init.zeros_(network.restore0.weight)
        silent = network(image)
    assert [stage.shape for stage in stages] == [image.shape] * 4
    assert torch.equal(silent[3], image)
    assert not torch.equal(stages[3], image)
    assert torch.equal(silent[0], stages[0])


def test_the_paper_knows_no_prelu() -> None:
    kinds = {type(module) for module in tiny_network(variant="paper").modules()}
    assert nn.SELU in kinds
    assert not [kind for kind in kinds if issubclass(kind, nn.PReLU)]


@st.composite
def layouts(draw: st.DrawFn) -> FCNConfig:
    reduction = draw(st.sampled_from([2, 4]))
    multiples = st.integers(0, 2).map(lambda factor: factor * reduction)
    return FCNConfig(
        width=draw(multiples) + reduction,
        unet_step=draw(multiples),
        full_resolution_step=draw(multiples),
        attention_blocks=draw(st.integers(1, 2)),
        reduction=reduction,
        variant=draw(st.sampled_from(["release", "paper"])),
    )


@given(layouts())
@settings(max_examples=15, deadline=None)
def test_a_layout_is_read_back_from_its_state_dict(config: FCNConfig) -> None:
    with torch.device("meta"):
        state = FCN(config).state_dict()
    assert infer_config(state) == config


@pytest.mark.parametrize(
    "settings_",
    [{"width": 9, "reduction": 1}, {"variant": "pater"}, {"norm": "pixel"}, {"width": 0}],
)
def test_impossible_layouts_are_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        FCNConfig(**settings_)
