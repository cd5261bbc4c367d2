from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from deblur_cli.cli.console import (
    PlainConsole,
    QuietConsole,
    RichConsole,
    choose_console,
    one_line,
)
from deblur_cli.errors import ImageReadError
from deblur_cli.pipeline.events import AlreadyDone, Event, Failed, Restored

A, B = Path("a.jpg"), Path("b.jpg")
RESTORED = Restored(A, B, 4, 5, "cpu", 0.1, 64, 1, 0, 1, ("one tile was left as it was",))
FAILED = Failed(A, ImageReadError("is damaged", path=A, remedy="replace it"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _show(console: QuietConsole, *events: Event) -> None:
    console.note("a note")
    with console.progress(len(events)):
        for event in events:
            console.event(event)


def test_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(choose_console(quiet=False)) is PlainConsole
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(choose_console(quiet=False)) is RichConsole
    assert type(choose_console(quiet=True)) is QuietConsole


def test_quiet_tells_errors_only(capsys: pytest.CaptureFixture[str]) -> None:
    _show(QuietConsole(), RESTORED, FAILED, AlreadyDone(A, B))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "deblur: a.jpg: is damaged (replace it)\n"


def test_plain_tells_progress_in_some_twenty_lines(capsys: pytest.CaptureFixture[str]) -> None:
    _show(PlainConsole(), *[AlreadyDone(A, B)] * 200)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "a note"
    assert len(lines) == 21
    assert lines[-1].startswith("200/200 in ")


def test_plain_tells_errors_and_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    _show(PlainConsole(), RESTORED, FAILED)
    lines = capsys.readouterr().err.splitlines()
    assert "a.jpg: one tile was left as it was" in lines
    assert "deblur: a.jpg: is damaged (replace it)" in lines


def test_rich_shows_a_bar_below_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    _show(RichConsole(), AlreadyDone(A, B), RESTORED, FAILED)
    shown = terminal.getvalue()
    assert "2/2" in shown
    assert "deblur: a.jpg: is damaged (replace it)" in shown
    assert "a.jpg: one tile was left as it was" in shown


@pytest.mark.parametrize(
    ("text", "line"), [("a\nb", "a\\nb"), ("\x1b[0m", "\\x1b[0m"), ("ñandú 写真", "ñandú 写真")]
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line
