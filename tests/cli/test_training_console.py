"""The log and the live panel of a training."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import pytest
from rich.console import Console

from deblur_cli.cli import training_console
from deblur_cli.cli.training_console import (
    TrainingLog,
    TrainingPanel,
    choose_training_console,
)
from deblur_cli.training.events import Event, Note, Report, Start, Stepped, Validation

START = Start("cpu", 2, "float32", 3, 2_900_000, 100, 0.25, 4.0, 90.0, None, 5)
REPORT = Report(200, 30.0, 0.5, 5e-4, 0.1234, 0.567, 48.9, 2)
BETTER = Validation(200, 31.0, 22.345, 0.5, True, ())
WORSE = Validation(300, 41.0, 22.1, 0.3, False, ())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(console: TrainingLog, events: Sequence[Event], capsys: pytest.CaptureFixture[str]) -> str:
    for event in events:
        console.take(event)
    return capsys.readouterr().err


def test_the_log_says_everything_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    told = lines(
        TrainingLog(), (Note("odd"), START, Stepped(101, 0.26), REPORT, BETTER, WORSE), capsys
    )
    assert told.splitlines() == [
        "odd",
        "cpu in float32, 2 processes, 2.9 M parameters, data workers: 3",
        "loaded in 4 s; goes on after step 100, 90 s of the budget are left",
        "the best weights are chosen by 5 validation pairs",
        "step 200   50.0%  lr 5.00e-04  loss 0.1234  gain +0.567 dB  48.9 patches/s  2 skipped",
        "step 200  validation 22.345 dB  gain +0.500 dB  best so far, kept",
        "step 300  validation 22.100 dB  gain +0.300 dB",
    ]


def test_a_run_by_iterations_says_how_many_are_left(capsys: pytest.CaptureFixture[str]) -> None:
    start = Start("cpu", 1, "float32", 0, 1000, 0, 0.0, 1.0, float("inf"), 250, 0)
    told = lines(TrainingLog(), [start], capsys)
    assert "begins, 250 steps are left" in told
    assert "only the last weights are kept" in told


def test_the_panel_shows_the_figures_as_they_are_now(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr(training_console.time, "monotonic", lambda: now)
    panel = TrainingPanel()
    above = lines(panel, [START], capsys)
    assert "goes on after step 100" in above
    now += 60
    assert lines(panel, (REPORT, BETTER, WORSE, Stepped(321, 0.5)), capsys) == ""
    screen = io.StringIO()
    Console(file=screen, width=80, force_terminal=True, color_system=None).print(panel.panel())
    shown = screen.getvalue()
    for figure in (
        "321  50.0%",
        "0:02:00",
        "0.1234",
        "+0.567 dB",
        "5.00e-04",
        "48.9 patches/s",
        "2 steps",
        "22.100 dB",
        "22.345 dB at step 200",
    ):
        assert figure in shown


def test_the_panel_is_for_terminals_and_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(choose_training_console()) is TrainingLog
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(choose_training_console()) is TrainingPanel
    monkeypatch.setenv("RANK", "1")
    assert type(choose_training_console()) is TrainingLog


def test_the_panel_lives_while_the_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    panel = TrainingPanel()
    with panel.shown():
        panel.take(START)
        panel.take(REPORT)
    assert "goes on after step 100" in screen.getvalue()
    assert "0.1234" in screen.getvalue()
