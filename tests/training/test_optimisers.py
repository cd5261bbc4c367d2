"""Muon and AdamW side by side: which parameters each changes, by how much, and how they resume."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from deblur_cli.errors import UsageError
from deblur_cli.models import create_model
from deblur_cli.training.learner import Learner, make_learner
from deblur_cli.training.optimisers import make_optimiser
from deblur_cli.training.recipe import Optimiser, load_recipe

CPU = torch.device("cpu")
RATE = 1e-2
SETTINGS = Optimiser(kind="muon", learning_rate=RATE, weight_decay=0.0)
needs_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="needs torch 2.9")


def layers() -> nn.ModuleDict:
    """A dense kernel, a kernel per channel, a projection, and biases; with gradients."""
    torch.manual_seed(0)
    made = nn.ModuleDict(
        {
            "dense": nn.Conv2d(6, 8, 3),
            "pointwise": nn.Conv2d(8, 4, 1),
            "depthwise": nn.Conv2d(4, 4, 3, groups=4),
            "projection": nn.Linear(5, 7),
        }
    )
    made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for parameter in made.parameters():
        parameter.grad = torch.randn_like(parameter)
    return made


def first_changes() -> dict[str, tuple[Tensor, Tensor]]:
    """Gradient and change of each parameter in the first step."""
    trained = layers()
    optimiser = make_optimiser(trained, SETTINGS)
    before = copy.deepcopy(trained).get_parameter
    optimiser.step()
    return {
        name: (parameter.grad, (parameter - before(name)).detach())
        for name, parameter in trained.named_parameters()
        if parameter.grad is not None
    }


@needs_muon
@pytest.mark.parametrize("name", ["dense", "pointwise", "projection"])
def test_matrices_move_by_the_nearest_orthogonal_matrix_to_their_gradient(name: str) -> None:
    gradient, change = (one.flatten(1).double() for one in first_changes()[f"{name}.weight"])
    left, _, right = torch.linalg.svd(gradient, full_matrices=False)
    expected = -RATE * 0.2 * max(gradient.shape) ** 0.5 * left @ right
    assert torch.cosine_similarity(change.flatten(), expected.flatten(), dim=0) > 0.97
    assert 0.7 < change.norm() / expected.norm() < 1.2  # Newton-Schulz stops early


@needs_muon
@pytest.mark.parametrize("name", ["depthwise.weight", "depthwise.bias", "projection.bias"])
def test_all_else_moves_as_by_adamw(name: str) -> None:
    gradient, change = first_changes()[name]
    torch.testing.assert_close(change, -RATE * gradient.sign(), rtol=1e-4, atol=1e-6)


def learner(precision: torch.dtype) -> Learner:
    torch.manual_seed(0)
    model = create_model("algnet", width=4, encoder_blocks=[1], decoder_blocks=[1], stem=2)
    return make_learner(model, load_recipe("small-motion", ["optimiser.kind=muon"]), CPU, precision)


def step(one: Learner, factor: float = 1.0) -> float:
    blurred, sharp = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    loss, _ = one.compare(blurred, sharp)
    one.differentiate(loss * factor)
    one.set_rate(RATE)
    one.update()
    return loss.item()


def parameters(one: Learner) -> list[Tensor]:
    return [value.detach().clone() for value in one.model.parameters()]


@needs_muon
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_a_network_learns_skips_what_is_not_finite_and_resumes_to_the_same_bits(
    precision: torch.dtype,
) -> None:
    whole, resumed = learner(precision), learner(precision)
    losses = [step(whole) for _ in range(6)]
    assert losses[-1] < 0.97 * losses[0]
    before = parameters(whole)
    step(whole, torch.nan)
    assert all(map(torch.equal, before, parameters(whole)))
    resumed.resume(copy.deepcopy(whole.state()))
    for one in (whole, resumed):
        step(one)
    assert not all(map(torch.equal, before, parameters(whole)))
    assert all(map(torch.equal, parameters(whole), parameters(resumed)))


def test_a_torch_without_muon_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    with pytest.raises(UsageError, match=r"torch .* does not have .*torch 2\.9 or later"):
        make_optimiser(layers(), SETTINGS)
