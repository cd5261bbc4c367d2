"""Every protocol on a small set in its layout, whose figures can be told beforehand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from deblur_cli.data.published import PUBLISHED
from deblur_cli.errors import UsageError
from deblur_cli.evaluation.candidates import Results, Unrestored
from deblur_cli.evaluation.figures import FIGURES
from deblur_cli.evaluation.measures import MEASURES
from deblur_cli.evaluation.protocols import PROTOCOLS
from deblur_cli.evaluation.runner import evaluate
from deblur_cli.evaluation.scores import Score
from deblur_cli.evaluation.subjects import Subjects, open_subjects
from tests.data.layouts import WRITERS, numbered, textured, write_picture


def figures_of_blurred(subjects: Subjects) -> list[dict[str, float]]:
    results = list(evaluate(subjects.pairs, subjects.protocol, Unrestored()))
    assert all(isinstance(result, Score) for result in results)
    return [dict(result.figures) for result in results if isinstance(result, Score)]


@pytest.mark.parametrize("name", ["gopro", "gopro-gamma", "hide"])
def test_gopro_and_hide(tmp_path: Path, name: str) -> None:
    WRITERS[name.removesuffix("-gamma")](tmp_path, "test", numbered(3))
    found = figures_of_blurred(open_subjects(name, tmp_path))
    assert [list(figures) for figures in found] == [["psnr", "ssim_matlab3d", "ssim"]] * 3
    for number, figures in enumerate(found):
        x, y = number + 1, number + 101
        x = x // 2 if name == "gopro-gamma" else x
        c1 = (0.01 * 255) ** 2
        plain = (2 * x * y + c1) / (x * x + y * y + c1)  # what SSIM is without any structure
        assert figures["psnr"] == pytest.approx(20 * math.log10(255 / (y - x)))
        assert figures["ssim"] == pytest.approx(plain, abs=1e-5)
        assert figures["ssim_matlab3d"] == pytest.approx(plain, abs=1e-5)


@pytest.mark.parametrize("name", ["realblur-j", "realblur-r"])
def test_realblur_forgives_exposure_and_a_shift(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(3)
    pictures = []
    for _ in range(2):
        coarse = rng.integers(40, 120, (18, 22, 3)).astype(np.uint8)
        large = np.kron(coarse, np.ones((6, 6, 1), np.uint8))
        pictures.append((large[2:98, 3:123], 2 * large[1:97, 2:122]))
    WRITERS[name](tmp_path, "test", pictures)
    for figures in figures_of_blurred(open_subjects(name, tmp_path)):
        assert list(figures) == ["psnr_aligned", "ssim_aligned", "aligned"]
        assert figures["aligned"] == 1
        assert figures["psnr_aligned"] > 30


def test_dpdd_is_judged_in_floats(tmp_path: Path) -> None:
    pictures = textured(2)
    WRITERS["dpdd"](tmp_path, "test", pictures)
    subjects = open_subjects("dpdd", tmp_path)
    assert subjects.task == "defocus"
    protocol = subjects.protocol.measuring("psnr,ssim_uniform,mae")
    results = list(evaluate(subjects.pairs, protocol, Unrestored()))
    for result, (blurred, sharp) in zip(results, pictures, strict=True):
        assert isinstance(result, Score)
        x, y = blurred / 255, sharp / 255
        error = np.mean((x - y) ** 2)
        assert result.figures["psnr"] == pytest.approx(-10 * np.log10(error), abs=1e-4)
        assert result.figures["mae"] == pytest.approx(np.abs(x - y).mean(), abs=1e-6)
        similarity = structural_similarity(x, y, channel_axis=2, data_range=1)
        assert result.figures["ssim_uniform"] == pytest.approx(similarity, abs=1e-4)


def test_rwbi_needs_no_truth(tmp_path: Path) -> None:
    WRITERS["rwbi"](tmp_path, "test", textured(2, 200, 300))
    found = figures_of_blurred(open_subjects("rwbi", tmp_path))
    assert all(list(figures) == ["niqe"] and figures["niqe"] > 0 for figures in found)


def test_what_needs_truth_is_refused_without_it(tmp_path: Path) -> None:
    WRITERS["rwbi"](tmp_path, "test", numbered(2))
    subjects = open_subjects("rwbi", tmp_path)
    assert subjects.measuring("niqe").protocol.measures == ("niqe",)
    with pytest.raises(UsageError, match="rwbi has no truth to measure psnr, lpips against"):
        subjects.measuring("psnr,niqe,lpips")


def test_a_single_picture_is_not_compared_as_a_set(tmp_path: Path) -> None:
    WRITERS["gopro"](tmp_path, "test", numbered(1))
    with pytest.raises(UsageError, match="sets of two pictures or more"):
        open_subjects("gopro", tmp_path).measuring("psnr,fid-kid")


def test_results_of_other_programs_are_found_by_the_rule_of_the_set(tmp_path: Path) -> None:
    for name, spelling in (("gopro", "{}.png"), ("hide", "{}.png"), ("realblur-j", "{}.png")):
        names = WRITERS[name](tmp_path / name, "test", numbered(3))
        for number, picture in enumerate(names):
            file = spelling.format(picture.replace("/", "-"))
            grey = np.full((24, 32, 3), number + 111, np.uint8)
            write_picture(tmp_path / f"{name}-made" / file, grey)
        subjects = open_subjects(name, tmp_path / name)
        made = Results(tmp_path / f"{name}-made", subjects)
        protocol = subjects.protocol.measuring("psnr")
        for result in evaluate(subjects.pairs, protocol, made):
            assert isinstance(result, Score)
            assert result.figures == {"psnr": pytest.approx(20 * math.log10(255 / 10))}


def test_results_for_dpdd_pair_by_order_if_their_names_differ(tmp_path: Path) -> None:
    WRITERS["dpdd"](tmp_path, "test", numbered(3))
    for number in range(3):
        deep = np.full((24, 32, 3), (number + 101) * 257 + 257, np.uint16)
        write_picture(tmp_path / "made" / f"result{number}.png", deep)
    subjects = open_subjects("dpdd", tmp_path)
    protocol = subjects.protocol.measuring("mae")
    results = list(evaluate(subjects.pairs, protocol, Results(tmp_path / "made", subjects)))
    for result in results:
        assert isinstance(result, Score)
        assert result.figures["mae"] == pytest.approx(1 / 255, abs=1e-6)


def test_results_that_are_missing_are_named(tmp_path: Path) -> None:
    names = WRITERS["gopro"](tmp_path, "test", numbered(3))
    write_picture(tmp_path / "made" / f"{names[1]}.png", numbered(1)[0][0])
    with pytest.raises(UsageError, match=r"2 of 3 results are missing: GOPR0000_11_00/000000"):
        Results(tmp_path / "made", open_subjects("gopro", tmp_path))


def test_every_published_set_has_a_protocol() -> None:
    assert PROTOCOLS.keys() == PUBLISHED.keys()
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())
    assert all(set(protocol.measures) <= set(MEASURES) for protocol in PROTOCOLS.values())
    assert all(protocol.main in FIGURES for protocol in PROTOCOLS.values())


def test_text_says_what_was_done() -> None:
    realblur = PROTOCOLS["realblur-j"]
    assert "rounded to 8 bits; results scaled to the truth, aligned" in realblur.text
    assert "aligned" not in realblur.measuring("psnr").text
    assert PROTOCOLS["dpdd"].text.startswith("files read with 8 bits, results clipped but not")


def test_metrics_are_chosen_by_name() -> None:
    chosen = PROTOCOLS["dpdd"].measuring("mae, psnr")
    assert (chosen.measures, chosen.samples) == (("mae", "psnr"), "float32")
    assert PROTOCOLS["dpdd"].measuring("psnr,mae,psnr").measures == ("psnr", "mae")
    with pytest.raises(UsageError, match=r"no metric is named 'vmaf' \(there are psnr,"):
        PROTOCOLS["dpdd"].measuring("psnr,vmaf")


def test_a_folder_in_a_known_layout_is_measured_by_its_protocol(tmp_path: Path) -> None:
    WRITERS["gopro"](tmp_path / "somewhere", "test", numbered(2))
    subjects = open_subjects(str(tmp_path / "somewhere"))
    assert (subjects.name, subjects.protocol) == ("gopro", PROTOCOLS["gopro"])
    assert "1,111 were published" in subjects.warnings[0]


def test_names_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="'gorpo' is no folder, and no data set is known"):
        open_subjects("gorpo")
    with pytest.raises(UsageError, match="test split of gopro is not there"):
        open_subjects("gopro")
    with pytest.raises(UsageError, match="no weights for the task 'portrait'"):
        open_subjects(str(tmp_path), task="portrait")
    with pytest.raises(UsageError, match="--data is for published sets"):
        open_subjects(str(tmp_path), tmp_path)


def test_parts_by_index_files(tmp_path: Path) -> None:
    names = WRITERS["dpdd"](tmp_path, "test", numbered(4))
    indoor = tmp_path / "indoor.txt"
    indoor.write_text("0, 3\n")
    subjects = open_subjects("dpdd", tmp_path)
    assert subjects.parts([indoor]) == {"indoor": {names[0], names[3]}}
