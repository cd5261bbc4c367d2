from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deblur_cli.errors import ImageWriteError, UsageError
from deblur_cli.evaluation.runner import evaluate, find_dataset
from deblur_cli.evaluation.scores import Score, mean_score


class Brighter:
    """A network that makes everything one grey level brighter."""

    def __call__(self, image: Any) -> Any:
        return image + 1


def _save(path: Path, picture: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.astype(np.uint8)).save(path)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    for name in ("1", "2"):
        sharp = rng.integers(10, 240, (24, 30, 3))
        _save(tmp_path / f"pairs/sharp/{name}.png", sharp)
        _save(tmp_path / f"pairs/blur/{name}.png", sharp - 2)
    return tmp_path / "pairs"


def _decibels(levels: float) -> float:
    return float(20 * np.log10(255 / levels))


def test_pairs_are_scored_before_and_after(pairs: Path) -> None:
    scores = list(evaluate(pairs, Brighter(), colour_fit=False))  # type: ignore[arg-type]
    assert [score.name for score in scores] == ["1", "2"]
    for score in scores:
        figures = score.figures
        assert figures["psnr_before"] == pytest.approx(_decibels(2))
        assert figures["psnr_after"] == pytest.approx(_decibels(1))
        assert figures["psnr_gain"] == pytest.approx(_decibels(1) - _decibels(2))
        assert figures["ssim_before"] <= figures["ssim_after"] <= 1


def test_colour_fit_takes_a_difference_of_exposure_out(pairs: Path) -> None:
    scores = list(evaluate(pairs, Brighter(), colour_fit=True))  # type: ignore[arg-type]
    assert all(score.figures["fit_before"] > 100 for score in scores)


def test_folder_of_sharp_photos_is_scored_against_itself(pairs: Path) -> None:
    (score, _) = evaluate(pairs / "sharp", Brighter(), colour_fit=True)  # type: ignore[arg-type]
    assert score.figures == {"psnr_to_input": pytest.approx(_decibels(1))}


def test_results_are_kept_as_they_were_measured(pairs: Path, tmp_path: Path) -> None:
    save = tmp_path / "kept"
    list(evaluate(pairs, Brighter(), colour_fit=False, save=save))  # type: ignore[arg-type]
    kept = np.asarray(Image.open(save / "2.png"))
    np.testing.assert_array_equal(kept, np.asarray(Image.open(pairs / "blur/2.png")) + 1)


def test_place_that_cannot_hold_results(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(ImageWriteError, match="kept"):
        list(evaluate(pairs, Brighter(), colour_fit=False, save=tmp_path / "kept"))  # type: ignore[arg-type]


def test_unknown_dataset() -> None:
    with pytest.raises(UsageError, match="'gopro' is no folder"):
        find_dataset("gopro")


def test_mean_is_over_images() -> None:
    scores = [Score("a", {"psnr": 20.0}), Score("b", {"psnr": 30.0})]
    assert mean_score(scores) == Score("mean", {"psnr": 25.0})
