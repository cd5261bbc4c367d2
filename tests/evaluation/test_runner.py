from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deblur_cli.errors import ImageReadError, IncomparableError, UsageError
from deblur_cli.evaluation.candidates import Network, Unrestored
from deblur_cli.evaluation.protocols import PROTOCOLS
from deblur_cli.evaluation.runner import evaluate
from deblur_cli.evaluation.scores import Failure, Score, mean_score
from deblur_cli.evaluation.subjects import Subjects, open_folder, open_subjects
from deblur_cli.imaging.read import read_photo
from tests.data.layouts import WRITERS, textured, write_dpdd


class Brighter:
    """A network that makes everything one grey level brighter."""

    summary = "brighter"

    def __init__(self) -> None:
        self.settings = {"model": "brighter"}
        self.computing = {"device": "cpu", "dtype": "float32"}

    def stream(self, images: Iterable[Any]) -> Iterator[Any]:
        for image in images:
            step = np.uint8(1) if image.dtype == np.uint8 else np.float32(1 / 255)
            yield SimpleNamespace(image=image + step)


BRIGHTER: Any = Network(Brighter())  # type: ignore[arg-type]


def scores_of(subjects: Subjects, save: Path | None = None) -> list[Score]:
    results = list(evaluate(subjects.pairs, subjects.protocol, BRIGHTER, save))
    assert not [result for result in results if isinstance(result, Failure)]
    return [result for result in results if isinstance(result, Score)]


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
    scores = scores_of(open_folder(pairs))
    assert [score.name for score in scores] == ["1", "2"]
    for score in scores:
        figures = score.figures
        assert figures["psnr_before"] == pytest.approx(_decibels(2))
        assert figures["psnr_after"] == pytest.approx(_decibels(1))
        assert figures["psnr_gain"] == pytest.approx(_decibels(1) - _decibels(2))
        assert figures["ssim_before"] <= figures["ssim_after"] <= 1


def test_colour_fit_takes_a_difference_of_exposure_out(pairs: Path) -> None:
    scores = scores_of(open_folder(pairs, "defocus"))
    assert all(score.figures["fit_before"] > 100 for score in scores)


def test_pairs_of_a_test_split_are_no_sharp_photos(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine/test").mkdir(parents=True)
    (pairs / "blur").rename(tmp_path / "mine/test/input")
    (pairs / "sharp").rename(tmp_path / "mine/test/target")
    scores = scores_of(open_folder(tmp_path / "mine"))
    assert [score.figures["psnr_before"] for score in scores] == pytest.approx([_decibels(2)] * 2)


def test_a_folder_of_several_sets_is_refused(tmp_path: Path) -> None:
    WRITERS["dpdd"](tmp_path, "test", textured(2))
    WRITERS["gopro"](tmp_path, "test", textured(2))
    with pytest.raises(UsageError, match="several data sets: gopro, dpdd"):
        open_folder(tmp_path)


def test_folder_of_sharp_photos_is_scored_against_itself(pairs: Path) -> None:
    (score, _) = scores_of(open_folder(pairs / "sharp"))
    assert score.figures == {"psnr_to_input": pytest.approx(_decibels(1))}


def test_results_are_kept_as_they_were_measured(pairs: Path, tmp_path: Path) -> None:
    save = tmp_path / "kept"
    scores_of(open_folder(pairs), save)
    kept = np.asarray(Image.open(save / "2.png"))
    np.testing.assert_array_equal(kept, np.asarray(Image.open(pairs / "blur/2.png")) + 1)


def test_results_that_are_not_rounded_are_kept_with_sixteen_bits(tmp_path: Path) -> None:
    write_dpdd("c")(tmp_path, "test", textured(1))
    subjects = open_subjects("dpdd", tmp_path)
    protocol = subjects.protocol.measuring("psnr")
    list(evaluate(subjects.pairs, protocol, BRIGHTER, tmp_path / "kept"))
    (pair,) = subjects.pairs
    blurred, _ = pair.read()
    kept = read_photo(tmp_path / "kept" / f"{pair.name}.png").pixels
    assert kept.dtype == np.uint16
    expected = np.minimum(blurred.astype(np.int64) + 1, 255) * 257
    np.testing.assert_array_equal(kept[blurred < 255], expected[blurred < 255])


def test_place_that_cannot_hold_results(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(UsageError, match="kept"):
        scores_of(open_folder(pairs), tmp_path / "kept")


def test_pictures_that_cannot_be_measured_do_not_stop_the_others(pairs: Path) -> None:
    rng = np.random.default_rng(2)
    for name in ("0", "1a", "3"):
        for kind in ("blur", "sharp"):
            _save(pairs / kind / f"{name}.png", rng.integers(0, 250, (24, 30, 3)))
    (pairs / "blur/0.png").write_text("no picture")
    (pairs / "sharp/3.png").write_bytes(b"")
    _save(pairs / "sharp/1a.png", rng.integers(0, 250, (25, 30, 3)))
    subjects = open_folder(pairs)
    results = list(evaluate(subjects.pairs, subjects.protocol, BRIGHTER))
    assert [result.name for result in results] == ["0", "1", "1a", "2", "3"]
    errors = [result.error if isinstance(result, Failure) else None for result in results]
    kinds = [type(error) for error in errors]
    nothing = type(None)
    assert kinds == [ImageReadError, nothing, IncomparableError, nothing, ImageReadError]


def test_many_pictures_are_never_far_ahead_of_the_network(tmp_path: Path) -> None:
    count, drawn, most = 60, 0, 0
    for number in range(count):
        for kind in ("blur", "sharp"):
            _save(tmp_path / kind / f"{number}.png", np.full((12, 12, 3), number))
    subjects = open_folder(tmp_path)

    class Watching(Unrestored):
        def source(self, pair: Any) -> Path:
            nonlocal drawn
            drawn += 1
            return super().source(pair)

    results = evaluate(subjects.pairs, subjects.protocol, Watching())
    for ended, _ in enumerate(results):
        most = max(most, drawn - ended)
    assert drawn == count
    assert most <= 2 * 17 + 2  # both queues at 16 threads, and what is under way between them


def test_mean_is_over_images() -> None:
    scores = [Score("a", {"psnr": 20.0}), Score("b", {"psnr": 30.0})]
    assert mean_score(scores) == Score("mean", {"psnr": 25.0})


def test_gopro_is_rounded_and_dpdd_is_not() -> None:
    assert PROTOCOLS["gopro"].samples == PROTOCOLS["realblur-r"].samples == "uint8"
    assert PROTOCOLS["dpdd"].samples == "float32"
