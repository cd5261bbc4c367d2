from __future__ import annotations

import pytest

from deblur_cli.errors import RestoreError
from deblur_cli.inspection import complexity
from deblur_cli.inspection.complexity import (
    ALGNET,
    CONCATENATION,
    VARIANTS,
    Complexity,
    Variant,
    compare,
    explain_published,
)
from deblur_cli.inspection.speed import Forward
from deblur_cli.inspection.work import Work
from deblur_cli.models import ARCHITECTURES

WORK = Work(outside=5, calls=(), parameters=3, used=2)
FORWARD = Forward(1.5, 1 << 20, "float32")


@pytest.fixture(scope="module")
def algnets() -> list[Complexity]:
    return [Complexity(variant, variant.count()) for variant in (ALGNET, CONCATENATION)]


def test_every_registered_network_is_among_the_variants() -> None:
    registered = {variant.architecture for variant in VARIANTS if variant.registered}
    assert registered == ARCHITECTURES.keys()
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)


def test_counts_of_the_paper_layout_are_those_known(algnets: list[Complexity]) -> None:
    work = algnets[0].work
    assert work.parameters == 37_697_676
    assert work.parameters - work.used == 4_428_160
    assert work.macs / 1e9 == pytest.approx(34.69, abs=0.005)
    assert work.updates / 1e9 == pytest.approx(0.965, abs=0.0005)
    assert work.macs_with_scan / 1e9 == pytest.approx(38.5, abs=0.05)


def test_published_figures_are_the_counts_outside_mamba_cut_off(
    algnets: list[Complexity],
) -> None:
    for cost in algnets:
        assert cost.work.outside // 10**9 == cost.variant.published.gmacs


def test_fcn_uses_what_its_paper_says() -> None:
    (fcn,) = (variant for variant in VARIANTS if variant.name == "FCN")
    work = fcn.count()
    assert work.used == 20_309_377
    assert work.used / 1e6 == pytest.approx(fcn.published.parameters, abs=0.0005)
    assert work.macs / 1e9 == pytest.approx(770.75, abs=0.005)


def test_explanation_quotes_the_counts(algnets: list[Complexity]) -> None:
    text = " ".join(explain_published(algnets))
    for figure in ("17 G is 17 G", "17.5 G", "22.4 G", "17.0 G", "34.7 G", "38.5 G", "2.2 times"):
        assert figure in text


def test_only_registered_layouts_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    variants = (Variant("plain", "nafnet"), Variant("wide", "nafnet", {"width": 64}))
    monkeypatch.setattr(complexity, "VARIANTS", variants)
    monkeypatch.setattr(complexity, "count_work", lambda *_: WORK)
    monkeypatch.setattr(complexity, "time_forward", lambda *_: FORWARD)
    plain, wide = compare("cpu", "float32", (64, 64), 1)
    assert plain.forward == FORWARD
    assert wide.forward is None
    assert wide.work == WORK


def test_network_that_does_not_fit_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Forward:
        raise RestoreError("takes about 99 GiB")

    monkeypatch.setattr(complexity, "VARIANTS", (Variant("plain", "nafnet"),))
    monkeypatch.setattr(complexity, "count_work", lambda *_: WORK)
    monkeypatch.setattr(complexity, "time_forward", refuse)
    (cost,) = compare("cpu", "float32", (64, 64), 1)
    assert cost.forward is None
    assert cost.problem == "takes about 99 GiB"
