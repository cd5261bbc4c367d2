"""The one interface of all networks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.models import RestorationModel, create_model
from tests.recipe_weights import fill_by_recipe
from tests.waiting import NoWaiting

TINY = {"width": 8, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1), "state_size": 8}


@pytest.fixture(scope="module")
def model() -> RestorationModel:
    made = create_model("algnet", **TINY).eval()
    fill_by_recipe(made.network, seed=3)
    return made


@given(st.integers(1, 21), st.integers(1, 21))
@settings(max_examples=15, deadline=None)
def test_any_size_comes_back(model: RestorationModel, height: int, width: int) -> None:
    with torch.no_grad():
        restored = model(torch.rand(1, 3, height, width))
    assert restored.shape == (1, 3, height, width)
    assert restored.dtype == torch.float32


def test_the_claimed_multiple_is_the_smallest_that_needs_no_padding(
    model: RestorationModel,
) -> None:
    def padded_size(size: int) -> int:
        with torch.no_grad():
            return int(model.network(torch.rand(1, 3, size, size))[-1].shape[-1])

    unpadded = [size for size in range(1, 17) if padded_size(size) == size]
    assert unpadded == list(
        range(model.descriptor.size_multiple, 17, model.descriptor.size_multiple)
    )


def test_only_weights_of_2d_convolutions_are_stored_channels_last() -> None:
    made = create_model("algnet", **TINY)
    made.network.register_parameter("window", torch.nn.Parameter(torch.rand(2, 3, 1, 4, 5)))
    placed = made.place(torch.device("cpu"))
    assert placed is made
    for name, parameter in made.named_parameters():
        two_dimensional = parameter.ndim == 4
        assert parameter.is_contiguous() or two_dimensional, name
        if two_dimensional:
            assert parameter.is_contiguous(memory_format=torch.channels_last), name


def test_a_multiple_of_the_size_needs_no_padding(model: RestorationModel) -> None:
    image = torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        assert torch.equal(model(image), model.network(image)[-1])


@pytest.mark.parametrize("pooling", [None, 16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_images_of_a_batch_do_not_touch_each_other(pooling: int | None, dtype: torch.dtype) -> None:
    model = create_model("algnet", **TINY).eval()
    fill_by_recipe(model.network, seed=3)
    model.set_local_pooling(pooling).set_precision(dtype)
    images = torch.rand(3, 3, 24, 24)
    others = torch.stack([10 * images[0], images[1], torch.zeros(3, 24, 24)])
    with torch.no_grad():
        alone, among, among_others = model(images[1:2]), model(images), model(others)
    assert torch.equal(among[1], among_others[1])
    tolerance = 1e-5 if dtype == torch.float32 else 5e-3
    torch.testing.assert_close(among[1:2], alone, rtol=0, atol=tolerance)


def test_the_host_waits_for_nothing_inside(
    model: RestorationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBLUR_SCAN_BACKEND", "torch")
    with torch.no_grad(), NoWaiting():
        model(torch.rand(2, 3, 21, 16))


def test_a_device_without_a_fast_scan_is_worth_a_caution(model: RestorationModel) -> None:
    assert model.cautions(torch.device("cpu")) == []
    (caution,) = model.cautions(torch.device("mps"))
    assert "slow" in caution
    no_scan = create_model("algnet", **TINY, global_levels=())
    assert no_scan.cautions(torch.device("mps")) == []


def test_half_precision_stays_close_and_keeps_scan_parameters() -> None:
    exact, rounded = (create_model("algnet", **TINY).eval() for _ in range(2))
    for made in (exact, rounded):
        fill_by_recipe(made.network, seed=3)
    rounded.set_precision(torch.bfloat16)
    kept = {name for name, value in rounded.named_parameters() if value.dtype == torch.float32}
    assert {name for name in kept if name.endswith(("A_log", ".D", "dt_proj.bias"))}
    assert all(torch.equal(rounded.get_parameter(n), exact.get_parameter(n)) for n in kept)
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        restored, expected = rounded(image), exact(image)
    assert restored.dtype == torch.float32
    error = (restored - expected).square().mean().sqrt() / (expected - image).square().mean().sqrt()
    assert 0 < error < 0.05


def test_local_pooling_is_switched_on_and_off(model: RestorationModel) -> None:
    image = torch.rand(1, 3, 48, 48)
    with torch.no_grad():
        globally = model(image)
        locally = model.set_local_pooling(16)(image)
        again = model.set_local_pooling(None)(image)
    assert not torch.allclose(globally, locally, atol=1e-4)
    assert torch.equal(globally, again)
