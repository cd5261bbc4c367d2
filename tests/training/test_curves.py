"""The numbers of a run on disk, and the picture of them."""

from __future__ import annotations

import csv
import math
from importlib.util import find_spec
from pathlib import Path

import cv2
import pytest

from deblur_cli.errors import DeblurError
from deblur_cli.training import curves
from deblur_cli.training.curves import Curves
from deblur_cli.training.events import Report, Saved, Start, Validation

needs_matplotlib = pytest.mark.skipif(
    find_spec("matplotlib") is None, reason="needs matplotlib, absent here"
)


def start(step: int) -> Start:
    return Start("cpu", 1, "float32", 0, 1000, step, step / 100, 0.0, 60.0, None, 2)


def report(step: int) -> Report:
    return Report(step, 1.5 * step, step / 100, 1e-3, 1 / (step + 1), 0.1 * step, 7.5, 0)


def validation(step: int, psnr: float = 22.0) -> Validation:
    return Validation(step, 1.5 * step, psnr, psnr - 21, True, ())


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def told(folder: Path, *events: Start | Report | Validation | Saved) -> Curves:
    curve = Curves(folder)
    for event in events:
        curve(event)
    return curve


def test_numbers_come_back_to_the_last_bit(tmp_path: Path) -> None:
    told(tmp_path, start(0), report(3), validation(3, math.pi), report(6))
    written = rows(tmp_path / "curve.csv")
    assert [float(row["loss"]) for row in written] == [report(3).loss, report(6).loss]
    assert [int(row["step"]) for row in written] == [3, 6]
    (validated,) = rows(tmp_path / "validation.csv")
    assert float(validated["psnr"]) == math.pi


def test_a_run_that_goes_on_forgets_what_came_after_its_state(tmp_path: Path) -> None:
    told(tmp_path, start(0), report(3), report(6), validation(6), report(9))
    with (tmp_path / "curve.csv").open("a") as file:
        file.write("12,1")  # cut off by a kill
    told(tmp_path, start(6), report(9))
    assert [int(row["step"]) for row in rows(tmp_path / "curve.csv")] == [3, 6, 9]
    assert [int(row["step"]) for row in rows(tmp_path / "validation.csv")] == [6]


def test_a_new_run_begins_its_numbers_anew(tmp_path: Path) -> None:
    told(tmp_path, start(0), report(3))
    told(tmp_path, start(0))
    assert rows(tmp_path / "curve.csv") == []


def test_a_folder_that_vanishes_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    curve = told(folder, start(0))
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    with pytest.raises(DeblurError, match=r"curve\.csv: cannot be written"):
        curve(report(3))


def test_without_matplotlib_there_are_numbers_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "find_spec", lambda name: None)
    told(tmp_path, start(0), report(3), Saved(3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curve.csv", "validation.csv"]


@needs_matplotlib
@pytest.mark.parametrize("steps", [0, 1, 20])
def test_the_picture_is_drawn_when_the_run_is_saved(tmp_path: Path, steps: int) -> None:
    events = [event for step in range(steps) for event in (report(step), validation(step))]
    told(tmp_path, start(0), *events, Saved(steps))
    picture = cv2.imread(str(tmp_path / "curve.png"))
    assert picture is not None
    assert picture.std() > 1
