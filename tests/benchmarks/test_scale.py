from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scale import MEASURES, main, make_ledger, make_tree


def test_each_measure_sees_all_that_was_made(tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", 12)
    make_ledger(tmp_path / "known", 5)
    assert MEASURES["plan"](tmp_path) == 12
    assert MEASURES["preview"](tmp_path) == 12
    assert MEASURES["status"](tmp_path) == 5
    assert MEASURES["ledger"](tmp_path) > 1000


def test_bars_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["scale", "--pictures", "12", "--results", "5", "--folder", str(tmp_path)]
    monkeypatch.setattr("sys.argv", few)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["plan", "12"]
    assert len(lines) == 4
    assert all("ok" in line for line in lines)
