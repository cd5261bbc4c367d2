"""Progress by wall clock, and the learning rate that follows it."""

from __future__ import annotations

import pytest

from deblur_cli.training.schedule import FLOOR, Budget, learning_rate_factor


def test_the_rate_warms_up_and_ends_annealed() -> None:
    assert learning_rate_factor(0.0, step=0, warmup_steps=10) == pytest.approx(0.1)
    assert learning_rate_factor(0.0, step=9, warmup_steps=10) == pytest.approx(1.0)
    assert learning_rate_factor(0.5, step=99, warmup_steps=10) == pytest.approx((1 + FLOOR) / 2)
    assert learning_rate_factor(1.0, step=99, warmup_steps=10) == pytest.approx(FLOOR)


def test_the_rate_never_rises_after_the_warm_up() -> None:
    rates = [learning_rate_factor(i / 50, step=100, warmup_steps=10) for i in range(51)]
    assert rates == sorted(rates, reverse=True)


def test_earlier_sittings_count_but_the_pause_between_does_not() -> None:
    now = 1000.0
    budget = Budget(seconds=100, spent_before=40, clock=lambda: now)
    now += 30
    assert budget.spent == pytest.approx(70)
    assert budget.progress == pytest.approx(0.7)
    now += 300
    assert budget.progress == 1.0
