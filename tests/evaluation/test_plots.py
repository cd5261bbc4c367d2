from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from deblur_cli.errors import UsageError
from deblur_cli.evaluation.candidates import Results
from deblur_cli.evaluation.evaluation import Outcome, Work
from deblur_cli.evaluation.measures import Shot
from deblur_cli.evaluation.plots import (
    _crops,
    draw_costs,
    draw_crops,
    draw_pictures,
    main_figure,
)
from deblur_cli.evaluation.report import make_report
from deblur_cli.evaluation.scores import Score
from deblur_cli.evaluation.subjects import Subjects, open_subjects
from tests.data.layouts import textured, write_gopro, write_picture


@pytest.fixture
def subjects(tmp_path: Path) -> Subjects:
    write_gopro(tmp_path, "test", textured(3))
    return open_subjects("gopro", tmp_path)


def outcome(subjects: Subjects, name: str, base: float) -> Outcome:
    scores = [Score(one.name, {"psnr": base + n}) for n, one in enumerate(subjects.pairs)]
    return Outcome(name, {}, tuple(scores))


def is_picture(path: Path) -> bool:
    picture = cv2.imread(str(path))
    return picture is not None and float(picture.std()) > 1


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c")])
def test_pictures_are_drawn(subjects: Subjects, tmp_path: Path, names: tuple[str, ...]) -> None:
    outcomes = [outcome(subjects, name, 30 + len(name)) for name in names]
    draw_pictures(outcomes, "psnr", tmp_path / "out")
    assert is_picture(tmp_path / "out/plots/pictures.png")


def test_infinite_figures_are_left_out(subjects: Subjects, tmp_path: Path) -> None:
    scores = tuple(Score(one.name, {"psnr": math.inf}) for one in subjects.pairs)
    draw_pictures([Outcome("a", {}, scores)] * 2, "psnr", tmp_path / "out")
    assert is_picture(tmp_path / "out/plots/pictures.png")


def test_costs_are_drawn_of_rows_that_have_them(subjects: Subjects, tmp_path: Path) -> None:
    report = make_report(subjects, [outcome(subjects, "net", 30)], {})
    draw_costs(report, {}, "ssim", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    draw_costs(report, {"net": 17.5}, "psnr", tmp_path / "out")
    assert is_picture(tmp_path / "out/plots/cost.png")


def test_best_and_worst_are_made_once_more(subjects: Subjects, tmp_path: Path) -> None:
    for number, pair in enumerate(subjects.pairs):
        _, sharp = pair.read()
        write_picture(tmp_path / "made" / f"{pair.name}.png", sharp // (number + 1))
    made = Results(tmp_path / "made", subjects)
    measured = Work(subjects).measure(made, None, lambda result: None)
    draw_crops(subjects, made, measured, "psnr", tmp_path / "out")
    assert is_picture(tmp_path / "out/plots/crops-made.png")


def test_crops_show_where_most_was_changed() -> None:
    blurred = np.zeros((600, 800, 3), np.uint8)
    restored = blurred.copy()
    restored[400:420, 700:720] = 200
    crops = _crops(Shot(blurred, restored, blurred))
    assert {crop.shape for crop in crops.values()} == {(256, 256, 3)}
    assert crops["restored"].sum() == restored.sum()


def test_small_pictures_are_shown_whole() -> None:
    picture = np.zeros((40, 50, 3), np.uint8)
    assert _crops(Shot(picture, picture, picture))["truth"].shape == (40, 40, 3)


def test_main_figure_is_what_was_measured(subjects: Subjects) -> None:
    assert main_figure(subjects, [outcome(subjects, "a", 30)]) == "psnr"
    assert main_figure(subjects, [Outcome("a", {}, (Score("x", {"mae": 0.1}),))]) == "mae"
    assert main_figure(subjects, [Outcome("a", {}, ())]) is None


def test_folder_that_cannot_hold_plots(subjects: Subjects, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="folder cannot be made"):
        draw_pictures([outcome(subjects, "a", 30)], "psnr", tmp_path / "out")
