from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch

from deblur_cli.diagnosis.comparison import (
    GRADIENT_TOLERANCE,
    VALUE_TOLERANCE,
    Comparison,
    compare_backends,
)
from deblur_cli.ops import reference
from deblur_cli.ops.backends import BACKENDS, Backend
from tests.ops import fake_packages

CPU = torch.device("cpu")
BACK_ENDS = ("cpu", "torch", "reference")


def _install(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> None:
    """A back end 'odd' for the CPU alone: the reference, its scan's output changed."""
    odd = ModuleType("odd")
    odd.__dict__.update(
        selective_scan=lambda *arguments: change(reference.selective_scan(*arguments)),
        causal_conv1d_silu=reference.causal_conv1d_silu,
    )
    fake_packages.install(monkeypatch, "odd", **odd.__dict__)
    monkeypatch.setitem(BACKENDS, "odd", Backend("odd", frozenset({"cpu"})))


def _of_odd() -> dict[str, Comparison]:
    return {comparison.operator: comparison for comparison in compare_backends(["odd"], CPU)}


def test_our_back_ends_agree_in_both_operators() -> None:
    comparisons = list(compare_backends(BACK_ENDS, CPU))
    assert [(item.backend, item.operator) for item in comparisons] == [
        (backend, operator)
        for backend in BACK_ENDS
        for operator in ("selective_scan", "causal_conv1d_silu")
    ]
    for item in comparisons:
        assert item.agrees, item
        assert 0 < item.value_error < VALUE_TOLERANCE / 10
        assert 0 < item.gradient_error < GRADIENT_TOLERANCE / 10
        assert item.milliseconds > 0


def test_wrong_values_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, lambda y: y + 1e-4 * y.detach().abs().max())
    found = _of_odd()
    assert not found["selective_scan"].agrees
    assert found["selective_scan"].value_error == pytest.approx(1e-4, rel=0.01)
    assert found["selective_scan"].gradient_error < GRADIENT_TOLERANCE
    assert found["causal_conv1d_silu"].agrees


def test_wrong_gradients_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, lambda y: y + 1e-3 * (y - y.detach()))
    comparison = _of_odd()["selective_scan"]
    assert not comparison.agrees
    assert comparison.value_error < VALUE_TOLERANCE
    assert comparison.gradient_error == pytest.approx(1e-3, rel=0.01)


def test_not_a_number_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, lambda y: y * torch.nan)
    assert not _of_odd()["selective_scan"].agrees


def test_operator_that_fails_is_told_and_the_other_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, lambda y: 1 / 0)
    found = _of_odd()
    assert found["selective_scan"].failure == "ZeroDivisionError: division by zero"
    assert not found["selective_scan"].agrees
    assert found["causal_conv1d_silu"].agrees


def test_back_end_that_cannot_be_loaded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "odd", Backend("no_such_module", frozenset({"cpu"})))
    for comparison in _of_odd().values():
        assert "'odd' cannot be loaded: ModuleNotFoundError" in comparison.failure
