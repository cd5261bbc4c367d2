from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deblur_cli.checkpoints.manifest import Entry
from deblur_cli.checkpoints.verify import Check, State
from deblur_cli.diagnosis import diagnose as module
from deblur_cli.diagnosis.comparison import Comparison
from deblur_cli.diagnosis.devices import Device
from deblur_cli.diagnosis.diagnose import Diagnosis, diagnose
from deblur_cli.errors import WeightsError

ENTRY = Entry("small", "motion", "algnet", "Apache-2.0", "0" * 64, 1, [], file="small.safetensors")
GOOD = Comparison("cpu", "cpu", "selective_scan", 1e-7, 1e-6, 1.0)
WELL = Diagnosis(
    packages=[],
    extras=[],
    devices=[Device("cpu", backend="cpu")],
    comparisons=[GOOD, replace(GOOD, backend="torch")],
    weights=[Check(ENTRY, State.INTACT, Path("small.safetensors"))],
    defaults={"motion": "small", "defocus": ""},
)


def test_all_is_well() -> None:
    assert (WELL.problems, WELL.exit_code) == ([], 0)


def test_disagreement_is_named() -> None:
    wrong = replace(WELL, comparisons=[replace(GOOD, value_error=0.5)])
    (problem,) = wrong.problems
    assert problem.startswith("the scan back end 'cpu' on cpu disagrees with float64")
    assert "5.0e-01" in problem
    assert wrong.exit_code == 1


def test_one_back_end_that_fails_leaves_the_others() -> None:
    broken = replace(GOOD, backend="torch", failure="RuntimeError: no")
    diagnosis = replace(WELL, comparisons=[GOOD, broken])
    assert diagnosis.problems == [
        "the scan back end 'torch' on cpu does not run selective_scan: RuntimeError: no"
    ]
    assert diagnosis.exit_code == 1


@pytest.mark.parametrize(
    "nothing",
    [
        {"comparisons": [replace(GOOD, failure="RuntimeError: no")]},
        {"devices": [Device("cpu", failure="no back end")]},
        {"defaults": {"motion": ""}, "weights": [Check(ENTRY, State.MISSING, None)]},
    ],
    ids=["back end", "device", "weights"],
)
def test_nothing_can_run(nothing: dict[str, object]) -> None:
    diagnosis = replace(WELL, **nothing)  # type: ignore[arg-type]
    assert diagnosis.exit_code == 3
    assert diagnosis.problems


def test_damaged_weights_are_named() -> None:
    diagnosis = replace(WELL, weights=[*WELL.weights, Check(ENTRY, State.DAMAGED, Path("small"))])
    assert diagnosis.problems == ["the weights 'small' are damaged; reinstall deblur-cli"]
    assert diagnosis.exit_code == 1


def test_back_end_that_would_be_used_is_compared_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    device = Device("cpu", backend="triton")
    monkeypatch.setattr(module, "find_devices", lambda _task: [device, Device("cpu")])
    monkeypatch.setattr(
        module, "compare_backends", lambda backends, _device: asked.append(list(backends)) or []
    )
    diagnose()
    assert asked == [["triton", "cpu", "torch", "reference"], ["cpu", "torch", "reference"]]


def test_manifest_that_cannot_be_read_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise WeightsError("is no TOML")

    monkeypatch.setattr(module, "load_manifest", fail)
    monkeypatch.setattr(module, "find_devices", lambda _task: WELL.devices)
    monkeypatch.setattr(module, "compare_backends", lambda _backends, _device: iter([GOOD]))
    diagnosis = diagnose()
    assert diagnosis.problems == ["is no TOML"]
    assert diagnosis.exit_code == 3
