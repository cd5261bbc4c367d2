"""What holds for every network behind the one interface."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from deblur_cli.errors import WeightsError
from deblur_cli.models import RestorationModel, create_model, load_model
from tests.recipe_weights import fill_by_recipe
from tests.waiting import NoWaiting

_STAGES: dict[str, Any] = {
    "width": 8,
    "unet_step": 4,
    "full_resolution_step": 4,
    "attention_blocks": 1,
}
_MULTI_AXIS: dict[str, Any] = {
    "features": 16,
    "stages": 2,
    "groups": 1,
    "bottleneck_blocks": 1,
    "block_hr": 4,
    "block_lr": 1,
}
LAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "nafnet": ("nafnet", {"width": 8, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1)}),
    "mprnet": ("mprnet", _STAGES),
    "fcn": ("fcn", _STAGES),
    "fcn-paper": ("fcn", _STAGES | {"variant": "paper"}),
    "maxim": ("maxim", _MULTI_AXIS),
    "xyscannet": ("xyscannet", {"width": 8, "blocks": (1, 1, 1)}),
}
POOLED = [layout for layout in LAYOUTS if layout != "xyscannet"]
"""Those that pool over the whole image, or locally."""

_STAGES_TELLING = (
    "shallow_feat1.1.CA.conv_du.0.weight",
    "stage1_encoder.down12.down.1.weight",
    "tail.weight",
)
TELLING = {
    "nafnet": ("intro.weight",),
    "mprnet": _STAGES_TELLING,
    "fcn": _STAGES_TELLING,
    "maxim": ("stages.0.in_conv.0.weight", "stages.0.encoder.0.mab.0.grid.gate.bias"),
    "xyscannet": ("patch_embed.proj.weight", "decoder_level1.0.intra.proj_out.weight"),
}
"""Entries whose shapes tell the layout."""

every_network = pytest.mark.parametrize("layout", LAYOUTS)


def make(layout: str) -> RestorationModel:
    name, config = LAYOUTS[layout]
    model = create_model(name, **config).eval()
    fill_by_recipe(model.network, seed=3, gain=0.7)
    return model


unchanged = cache(make)


@every_network
@given(st.integers(1, 21), st.integers(1, 21))
@settings(max_examples=8, deadline=None)
def test_any_size_comes_back(layout: str, height: int, width: int) -> None:
    with torch.no_grad():
        restored = unchanged(layout)(torch.rand(1, 3, height, width))
    assert restored.shape == (1, 3, height, width)
    assert restored.dtype == torch.float32


@every_network
def test_the_result_is_the_networks_final_output(layout: str) -> None:
    model, image = unchanged(layout), torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        outputs = model.network(image)
        assert torch.equal(model(image), outputs[model.network.final_output])
        assert len(model.network(image, side_outputs=False)) == 1


@pytest.mark.parametrize(
    ("layout", "pooling"), [*((one, None) for one in LAYOUTS), *((one, 16) for one in POOLED)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_images_of_a_batch_do_not_touch_each_other(
    layout: str, pooling: int | None, dtype: torch.dtype
) -> None:
    model = make(layout).set_local_pooling(pooling).set_precision(dtype)
    images = torch.rand(3, 3, 32, 32)
    others = torch.stack([10 * images[0], images[1], torch.zeros(3, 32, 32)])
    with torch.no_grad():
        alone, among, among_others = model(images[1:2]), model(images), model(others)
    assert torch.equal(among[1], among_others[1])
    scale = alone.abs().max().item()
    tolerance = 1e-5 if dtype == torch.float32 else 1e-2
    torch.testing.assert_close(among[1:2], alone, rtol=0, atol=tolerance * scale)


@every_network
def test_the_host_waits_for_nothing_inside(layout: str) -> None:
    with torch.no_grad(), NoWaiting():
        unchanged(layout)(torch.rand(2, 3, 21, 16))


@every_network
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_close(layout: str, dtype: torch.dtype) -> None:
    exact, rounded = unchanged(layout), make(layout).set_precision(dtype)
    halved = {
        f"network.{name}.{kind}"
        for name, module in rounded.network.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
        for kind in (("weight", "bias") if isinstance(module, torch.nn.Conv2d) else ("weight",))
    }
    for name, value in rounded.named_parameters():
        assert value.dtype == (dtype if name in halved else torch.float32), name
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        restored, expected = rounded(image), exact(image)
    assert restored.dtype == torch.float32
    error = (restored - expected).square().mean().sqrt() / (expected - image).square().mean().sqrt()
    assert 0 < error < (0.1 if (layout, dtype) == ("xyscannet", torch.bfloat16) else 0.02)


@pytest.mark.parametrize("layout", POOLED)
def test_local_pooling_is_switched_on_and_off(layout: str) -> None:
    model, image = make(layout), torch.rand(1, 3, 48, 48)
    image[..., 24:] *= 0.1
    with torch.no_grad():
        globally = model(image)
        as_large = model.set_local_pooling(32)(image)
        locally = model.set_local_pooling(16)(image)
        again = model.set_local_pooling(None)(image)
    assert torch.equal(as_large, globally)
    assert (locally - globally).abs().max() > 1e-3
    assert torch.equal(again, globally)


@every_network
def test_checkpoints_are_recognised(layout: str, tmp_path: Path) -> None:
    model, image = unchanged(layout), torch.rand(1, 3, 16, 16)
    state = model.network.state_dict()
    torch.save({"params": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "net.pth")
    save_file({key: value.clone() for key, value in state.items()}, tmp_path / "net.safetensors")
    for name in ("net.pth", "net.safetensors"):
        loaded = load_model(tmp_path / name)
        assert loaded.descriptor == model.descriptor
        with torch.no_grad():
            assert torch.equal(loaded(image), model(image))


@every_network
@pytest.mark.parametrize("shape", [(), (5,), (5, 7, 1, 1), (0, 0, 3, 3)])
def test_shapes_that_make_no_network_are_refused(
    layout: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    model, path = unchanged(layout), tmp_path / "net.pth"
    for entry in TELLING[model.descriptor.name]:
        torch.save(model.network.state_dict() | {entry: torch.zeros(shape)}, path)
        with pytest.raises(WeightsError, match=r"net\.pth"):
            load_model(path)


@every_network
def test_every_part_in_use_learns_in_half_precision(layout: str) -> None:
    model = make(layout).train()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model.network(torch.rand(2, 3, 16, 16))
    torch.stack([output.float().square().mean() for output in outputs]).sum().backward()
    for name, parameter in model.network.named_parameters():
        if not name.startswith("stage1_decoder1."):
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any() or ".ca." in name.lower(), name  # its ReLU may be shut
