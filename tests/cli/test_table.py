from __future__ import annotations

import sys

import pytest

from deblur_cli.cli.table import Table


def test_terminal_gets_drawn_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    Table("things", ("name", "value"), [("[bold]a", "b\x1b")]).show()
    drawn = capsys.readouterr().out
    assert "things" in drawn
    assert "[bold]a" in drawn
    assert "b\\x1b" in drawn
    assert "━" in drawn


def test_elsewhere_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    Table("things", ("name", "value"), [("long name", "1"), ("b\x1b", "")]).show()
    assert capsys.readouterr().out.splitlines() == [
        "things",
        "  name       value",
        "  long name  1",
        "  b\\x1b",
        "",
    ]
