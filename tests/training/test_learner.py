"""One step of training: what it changes, and what it leaves alone."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from deblur_cli.models import create_model
from deblur_cli.training.learner import Learner, make_learner, to_device
from deblur_cli.training.recipe import load_recipe
from deblur_cli.training.report import Tally, floored_gain
from deblur_cli.training.state import Progress

CPU = torch.device("cpu")
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def small_learner(precision: torch.dtype) -> Learner:
    torch.manual_seed(0)
    model = create_model("algnet", width=4, encoder_blocks=[1], decoder_blocks=[1], stem=2)
    return make_learner(model, load_recipe("small-motion"), CPU, precision)


def pair() -> tuple[Tensor, Tensor]:
    pictures = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return pictures[0], pictures[1]


def parameters(learner: Learner) -> list[Tensor]:
    return [value.detach().clone() for value in learner.model.parameters()]


def step(learner: Learner, factor: float = 1.0) -> tuple[float, bool]:
    loss, _ = learner.compare(*pair())
    learner.differentiate(loss * factor)
    return loss.item(), bool(learner.update(1e-2))


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
    learner, resumed = small_learner(precision), small_learner(precision)
    step(learner)
    resumed.resume(copy.deepcopy(learner.state()))
    step(learner)
    step(resumed)
    for one, other in zip(parameters(learner), parameters(resumed), strict=True):
        assert torch.equal(one, other)


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
    learner.update(1e-2)
    torch.testing.assert_close(parameter.detach().double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU, absent here")
@pytest.mark.parametrize("precision", DTYPES)
def test_on_a_gpu_the_loop_goes_on_without_waiting_for_a_step(precision: torch.dtype) -> None:
    device = torch.device("cuda")
    model = create_model("algnet", width=8, encoder_blocks=[1, 1], decoder_blocks=[1, 1])
    learner = make_learner(model, load_recipe("small-motion"), device, precision)
    tally = Tally(Progress(), device)
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)

    def queue_a_step() -> None:
        blurred = to_device(images, device)
        sharp = to_device(images.flip(0), device)
        loss, restored = learner.compare(blurred, sharp)
        learner.differentiate(loss)
        finite = learner.update(1e-4)
        tally.add(loss.detach(), floored_gain(blurred, restored, sharp), finite, patches=2)

    queue_a_step()  # compiles kernels and makes the optimiser's state
    torch.cuda.set_sync_debug_mode("error")
    try:
        queue_a_step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert tally.report(0.5, 1e-4).step == 2


def test_pictures_become_channels_last_tensors_in_the_unit_range() -> None:
    images = torch.randint(0, 256, (2, 5, 7, 3), dtype=torch.uint8)
    tensor = to_device(images, CPU)
    assert tensor.shape == (2, 3, 5, 7)
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(tensor, torch.moveaxis(images.float(), 3, 1) / 255)
