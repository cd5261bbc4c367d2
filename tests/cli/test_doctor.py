from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from deblur_cli.checkpoints.manifest import load_manifest
from deblur_cli.checkpoints.verify import Check, State
from deblur_cli.diagnosis import diagnose as module
from deblur_cli.diagnosis.comparison import Comparison
from deblur_cli.diagnosis.devices import Device
from deblur_cli.diagnosis.diagnose import Diagnosis
from deblur_cli.diagnosis.packages import Extra, Package
from deblur_cli.diagnosis.packages import State as Found
from tests.cli.conftest import Command

GOOD = Comparison("cpu", "cpu", "selective_scan", 1.5e-7, 6.8e-7, 0.25)
WELL = Diagnosis(
    packages=[Package("torch", Found.INSTALLED, "2.6.0", "a note")],
    extras=[Extra("mamba", Found.ABSENT, "kernels", "pip install it")],
    devices=[
        Device(
            "cpu",
            hardware="Some CPU",
            capability="2 threads",
            free_bytes=3 << 30,
            dtype="float32",
            dtype_reason="a reason",
            backend="cpu",
            backend_reason="the best",
        )
    ],
    comparisons=[GOOD],
    weights=[Check(load_manifest().entries[0], State.INTACT, Path("weights"))],
    defaults={load_manifest().entries[0].task: load_manifest().entries[0].id},
)
FAILED = replace(GOOD, backend="torch", failure="RuntimeError: no\nwonder", value_error=math.nan)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Diagnosis]:
    """What there is to tell: the last of these."""
    diagnoses = [WELL]
    monkeypatch.setattr(module, "diagnose", lambda: diagnoses[-1])
    return diagnoses


def test_plain_text_tells_everything(deblur: Command, found: list[Diagnosis]) -> None:
    finished = deblur("doctor")
    assert finished.returncode == 0
    assert finished.stderr == ""
    for part in (
        "torch    installed  2.6.0    a note",
        "mamba  absent  kernels  pip install it",
        "cpu     hardware       Some CPU, 2 threads",
        "3.0 GiB free",
        "--dtype auto   float32: a reason",
        "scan back end  cpu: the best",
        "cpu     cpu       selective_scan  1.5e-07  6.8e-07    0.2  ok",
        "intact  yes",
        "all is well",
    ):
        assert part in finished.stdout


def test_json_lines(deblur: Command, found: list[Diagnosis]) -> None:
    found.append(replace(WELL, comparisons=[GOOD, FAILED]))
    finished = deblur("doctor", "--json")
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [line["event"] for line in lines] == [
        "package",
        "extra",
        "device",
        "comparison",
        "comparison",
        "weights-check",
        "default",
        "verdict",
    ]
    assert all(line["schema"] == 1 for line in lines)
    assert lines[3]["agrees"] is True
    assert lines[3]["value_error"] < lines[3]["value_tolerance"]
    assert lines[4]["value_error"] is None
    assert lines[-1]["exit_code"] == finished.returncode == 1
    assert lines[-1]["problems"]


def test_quiet_tells_problems_only(deblur: Command, found: list[Diagnosis]) -> None:
    assert deblur("doctor", "--quiet").stdout == ""
    found.append(replace(WELL, comparisons=[GOOD, FAILED]))
    finished = deblur("doctor", "--quiet")
    assert (finished.returncode, finished.stdout) == (1, "")
    (line,) = finished.stderr.splitlines()
    assert line.startswith("deblur: the scan back end 'torch' on cpu does not run selective_scan")


def test_problems_are_named_and_decide_the_exit_code(
    deblur: Command, found: list[Diagnosis]
) -> None:
    found.append(replace(WELL, comparisons=[GOOD, replace(GOOD, value_error=0.1)]))
    finished = deblur("doctor")
    assert finished.returncode == 1
    assert "not ok" in finished.stdout
    assert "all is well" not in finished.stdout
    assert "disagrees with float64" in finished.stderr
    found.append(replace(WELL, comparisons=[replace(GOOD, failure="broken")]))
    assert deblur("doctor").returncode == 3


def test_this_machine(deblur: Command) -> None:
    finished = deblur("doctor", "--json")
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    assert finished.returncode == 0, finished.stderr
    assert {line["name"] for line in lines if line["event"] == "device"} >= {"cpu"}
    assert {line["backend"] for line in lines if line["event"] == "comparison"} >= {
        "cpu",
        "torch",
        "reference",
    }
    assert all(line["agrees"] for line in lines if line["event"] == "comparison")
