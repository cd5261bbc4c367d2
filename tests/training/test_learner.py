"""One step of training: what it changes, and what it leaves alone."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from deblur_cli.models import create_model
from deblur_cli.training.learner import Learner, make_learner, to_device
from deblur_cli.training.recipe import Recipe, load_recipe
from deblur_cli.training.tally import Progress, Tally
from tests.waiting import NoWaiting

CPU = torch.device("cpu")
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def averaged_in_parts() -> Recipe:
    return load_recipe("small-motion", ["optimiser.accumulation=2", "optimiser.ema_decay=0.9"])


def small_learner(precision: torch.dtype, recipe: Recipe | None = None) -> Learner:
    torch.manual_seed(0)
    model = create_model("algnet", width=4, encoder_blocks=[1], decoder_blocks=[1], stem=2)
    return make_learner(model, recipe or load_recipe("small-motion"), CPU, precision)


def pair() -> tuple[Tensor, Tensor]:
    pictures = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return pictures[0], pictures[1]


def parameters(learner: Learner) -> list[Tensor]:
    return [value.detach().clone() for value in learner.model.parameters()]


def step(learner: Learner, factor: float = 1.0) -> tuple[float, bool]:
    loss, _ = learner.compare(*pair())
    learner.differentiate(loss * factor)
    learner.set_rate(1e-2)
    return loss.item(), bool(learner.update())


@pytest.mark.parametrize("precision", DTYPES)
def test_steps_lower_the_loss_of_the_pair_they_see(precision: torch.dtype) -> None:
    learner = small_learner(precision)
    steps = [step(learner) for _ in range(12)]
    assert all(finite for _, finite in steps)
    assert steps[-1][0] < 0.9 * steps[0][0]


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("factor", [torch.nan, torch.inf])
def test_a_step_without_finite_gradients_changes_nothing(
    precision: torch.dtype, factor: float
) -> None:
    learner = small_learner(precision)
    step(learner)
    before, moments = parameters(learner), learner.optimiser.state_dict()["state"]
    count = [float(moment["step"]) for moment in moments.values()]
    assert not step(learner, factor)[1]
    for old, new in zip(before, parameters(learner), strict=True):
        assert torch.equal(old, new)
    after = learner.optimiser.state_dict()["state"].values()
    assert [float(moment["step"]) for moment in after] == count
    assert step(learner)[1]


def test_only_float16_scales_the_loss_and_lowers_the_scale_when_it_overflows() -> None:
    scales = {}
    for precision in DTYPES:
        learner = small_learner(precision)
        before = learner.scaler.get_scale()
        step(learner, torch.inf)
        scales[precision] = before, learner.scaler.get_scale()
    assert scales == {
        torch.float32: (1.0, 1.0),
        torch.bfloat16: (1.0, 1.0),
        torch.float16: (65536.0, 32768.0),
    }


@pytest.mark.parametrize("precision", DTYPES)
def test_a_resumed_learner_goes_on_to_the_same_bits(precision: torch.dtype) -> None:
    learner, resumed = (small_learner(precision, averaged_in_parts()) for _ in range(2))
    learner.step(*pair(), 1e-2)
    resumed.resume(copy.deepcopy(learner.state()))
    for one in (learner, resumed):
        one.step(*pair(), 1e-2)
    for one, other in zip(parameters(learner), parameters(resumed), strict=True):
        assert torch.equal(one, other)
    means = [one.trained.network.state_dict() for one in (learner, resumed)]
    assert all(torch.equal(value, means[1][key]) for key, value in means[0].items())


def test_a_step_of_one_parameter_is_adamw_as_published() -> None:
    learner = small_learner(torch.float32)
    name, parameter = "network.intro.weight", learner.model.network.get_parameter("intro.weight")
    assert name in dict(learner.model.named_parameters())
    loss, _ = learner.compare(*pair())
    learner.differentiate(loss)
    gradients = [p.grad.double() for p in learner.model.parameters() if p.grad is not None]
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
    assert parameter.grad is not None
    gradient = parameter.grad.double() * (learner.clip_norm / (norm + 1e-6)).clamp(max=1)
    decay = load_recipe("small-motion").optimiser.weight_decay
    expected = parameter.detach().double() * (1 - 1e-2 * decay)
    expected -= 1e-2 * gradient / (gradient.abs() + 1e-8)  # bias-corrected moments of one step
    learner.set_rate(1e-2)
    learner.update()
    torch.testing.assert_close(parameter.detach().double(), expected, rtol=1e-5, atol=1e-6)


def test_without_deep_supervision_the_full_size_result_alone_counts() -> None:
    torch.manual_seed(0)
    model = create_model("algnet", width=4, encoder_blocks=[1, 1], decoder_blocks=[1, 1])
    blurred, sharp = pair()
    losses = {}
    for wish in ("true", "false"):
        recipe = load_recipe("small-motion", [f"loss.deep_supervision={wish}"])
        learner = make_learner(model, recipe, CPU, torch.float32)
        losses[wish], restored = learner.compare(blurred, sharp)
        alone = learner.criterion([restored], blurred, sharp)
    coarse, _ = model.network(blurred)
    torch.testing.assert_close(losses["false"], alone)
    torch.testing.assert_close(losses["true"], alone + learner.criterion([coarse], blurred, sharp))


def queue_a_step(learner: Learner, tally: Tally, images: Tensor) -> None:
    found = learner.step(*(to_device(x, learner.device) for x in (images, images.flip(0))), 1e-4)
    tally.add(found.loss, found.gain, found.finite, patches=2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU, absent here")
@pytest.mark.parametrize("precision", DTYPES)
def test_on_a_gpu_the_loop_goes_on_without_waiting_for_a_step(precision: torch.dtype) -> None:
    device = torch.device("cuda")
    model = create_model("algnet", width=8, encoder_blocks=[1, 1], decoder_blocks=[1, 1])
    learner = make_learner(model, averaged_in_parts(), device, precision)
    tally = Tally(Progress(), device)
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    queue_a_step(learner, tally, images)  # compiles kernels and makes the optimiser's state
    torch.cuda.set_sync_debug_mode("error")
    try:
        queue_a_step(learner, tally, images)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert tally.report(0.0, 0.5, 1e-4).step == 2


@pytest.mark.parametrize("precision", DTYPES)
def test_nothing_in_a_step_waits_for_the_device(precision: torch.dtype) -> None:
    learner, tally = small_learner(precision, averaged_in_parts()), Tally(Progress(), CPU)
    images = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    queue_a_step(learner, tally, images)
    with NoWaiting():
        queue_a_step(learner, tally, images)
    assert tally.report(0.0, 0.5, 1e-4).step == 2


def test_parts_of_a_batch_add_up_to_the_gradient_of_the_whole() -> None:
    whole, parts = small_learner(torch.float32), small_learner(torch.float32, averaged_in_parts())
    found = [learner.step(*pair(), 1e-2) for learner in (whole, parts)]
    torch.testing.assert_close(found[0].loss, found[1].loss)
    torch.testing.assert_close(found[0].gain, found[1].gain)
    for one, other in zip(parameters(whole), parameters(parts), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_pictures_become_channels_last_tensors_in_the_unit_range() -> None:
    images = torch.randint(0, 256, (2, 5, 7, 3), dtype=torch.uint8)
    tensor = to_device(images, CPU)
    assert tensor.shape == (2, 3, 5, 7)
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(tensor, torch.moveaxis(images.float(), 3, 1) / 255)
