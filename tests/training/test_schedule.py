"""Progress by wall clock, and the learning rate that follows it, against the papers' formulas."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.training.recipe import Schedule, load_recipe
from deblur_cli.training.schedule import Budget, learning_rate_factor


def rate(recipe_name: str, done: float) -> float:
    recipe = load_recipe(recipe_name)
    assert recipe.iterations is not None
    step = round(done * recipe.iterations)
    factor = learning_rate_factor(recipe.schedule, step / recipe.iterations, step)
    return recipe.optimiser.learning_rate * factor


def test_the_rate_warms_up_and_ends_annealed() -> None:
    schedule = Schedule(warmup_steps=10)
    assert learning_rate_factor(schedule, 0.0, step=0) == pytest.approx(0.1)
    assert learning_rate_factor(schedule, 0.0, step=9) == pytest.approx(1.0)
    assert learning_rate_factor(schedule, 0.5, step=99) == pytest.approx(0.5005)
    assert learning_rate_factor(schedule, 1.0, step=99) == pytest.approx(1e-3)


@settings(deadline=None)
@given(
    shape=st.sampled_from(("cosine", "halving")),
    floor=st.floats(0, 1),
    hold=st.floats(0, 0.9),
    halvings=st.integers(1, 8),
)
def test_the_rate_never_rises_after_the_warm_up(
    shape: str, floor: float, hold: float, halvings: int
) -> None:
    schedule = Schedule(shape, floor, hold, halvings, warmup_steps=10)  # type: ignore[arg-type]
    rates = [learning_rate_factor(schedule, i / 50, step=100) for i in range(51)]
    assert rates[0] == 1
    assert rates[-1] == pytest.approx(floor if shape == "cosine" else 0.5**halvings)
    assert all(after <= before + 1e-15 for before, after in pairwise(rates))


@pytest.mark.parametrize(
    ("name", "peak", "end"),
    [
        ("algnet-gopro", 5e-4, 1e-7),
        ("algnet-dpdd", 5e-4, 1e-7),
        ("xyscannet-gopro", 2.2e-4, 1e-7),
        ("xyscannet-gopro-release-320", 1.5e-4, 1e-7),
        ("xyscannet-realblur-r", 1e-4, 1e-7),
    ],
)
def test_the_papers_cosines_agree_with_torchs(name: str, peak: float, end: float) -> None:
    optimiser = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=peak)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=40, eta_min=end)
    for epoch in range(41):
        assert rate(name, epoch / 40) == pytest.approx(cosine.get_last_lr()[0], rel=1e-4)
        optimiser.step()
        cosine.step()


def test_fcns_paper_halves_the_rate_every_200_of_600_epochs() -> None:
    batches = 132  # of 2103 pairs in sixteens
    assert load_recipe("fcn-gopro").iterations == 600 * batches
    for epoch in (0, 1, 199, 200, 399, 400, 599):
        expected = 2e-4 * 0.5 ** (epoch // 200)
        assert rate("fcn-gopro", epoch / 600) == pytest.approx(expected)


def test_fcns_release_has_mprnets_warm_up_and_cosine() -> None:
    batches, epochs, warm_up = 132, 3000, 3
    assert load_recipe("fcn-gopro-release").iterations == epochs * batches
    for epoch in (1, 2, 3):  # MPRNet keeps one rate for an epoch: the one reached at its end here
        last_step = (epoch * batches - 1) / (epochs * batches)
        assert rate("fcn-gopro-release", last_step) == pytest.approx(2e-4 * epoch / warm_up)
    for epoch in (4, 100, 1500, 2999):
        angle = math.pi * (epoch - warm_up) / (epochs - warm_up)
        expected = 1e-6 + (2e-4 - 1e-6) * (1 + math.cos(angle)) / 2
        assert rate("fcn-gopro-release", epoch / epochs) == pytest.approx(expected)


def test_earlier_sittings_count_but_the_pause_between_does_not() -> None:
    now = 1000.0
    budget = Budget(seconds=100, spent_before=40, clock=lambda: now)
    now += 30
    assert budget.spent == pytest.approx(70)
    assert budget.progress == pytest.approx(0.7)
    now += 300
    assert budget.progress == 1.0
