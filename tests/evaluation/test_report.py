"""The table beside the papers' rows, and the files it is written to."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import subprocess
from pathlib import Path

import pytest

from deblur_cli.data.published import PUBLISHED
from deblur_cli.errors import IncomparableError
from deblur_cli.evaluation.documents import as_csv, as_json, as_latex, as_markdown, write_documents
from deblur_cli.evaluation.evaluation import Outcome
from deblur_cli.evaluation.figures import FIGURES
from deblur_cli.evaluation.published import published_rows
from deblur_cli.evaluation.report import MEASURED, Report, Row, make_report
from deblur_cli.evaluation.scores import Failure, Score
from deblur_cli.evaluation.subjects import Subjects, open_subjects
from tests.data.layouts import numbered, write_dpdd, write_gopro

DOCUMENT = Path(__file__).parents[2] / "docs" / "evaluation.md"


@pytest.fixture
def subjects(tmp_path: Path) -> Subjects:
    write_gopro(tmp_path, "test", numbered(4))
    return open_subjects("gopro", tmp_path)


def outcome(subjects: Subjects, name: str = "net_1", failed: int = 0) -> Outcome:
    results: list[Score | Failure] = [
        Score(pair.name, {"psnr": 30.0 + number, "ssim_matlab3d": 0.9, "ssim": 0.8})
        for number, pair in enumerate(subjects.pairs)
    ]
    for number in range(failed):
        results[number] = Failure(results[number].name, IncomparableError("too small"))
    return Outcome(name, {"tile": 512, "note": "50% & more"}, tuple(results))


@pytest.fixture
def report(subjects: Subjects) -> Report:
    return make_report(subjects, [outcome(subjects), outcome(subjects, "other", failed=1)], {})


def test_means_and_counts(report: Report) -> None:
    first, second = (row for row in report.rows if row.source == MEASURED)
    assert first.figures == pytest.approx({"psnr": 31.5, "ssim_matlab3d": 0.9, "ssim": 0.8})
    assert (first.pictures, first.failed, second.pictures, second.failed) == (4, 0, 3, 1)
    assert second.figures["psnr"] == 32
    assert second.origin == "measured (3 pictures, 1 failed)"


def test_papers_stand_beside_with_their_source(report: Report) -> None:
    papers = [row for row in report.rows if row.source != MEASURED]
    assert [row.method for row in papers] == [
        row.method for row in published_rows() if row.dataset == "gopro" and "psnr" in row.figures
    ]
    assert any(row.figures.get("psnr") == 33.91 for row in papers)


def test_figures_of_papers_have_the_digits_they_were_printed_with() -> None:
    row = Row("", "net", "a paper", {"psnr": 34.6, "ssim": 0.9611})
    assert row.cells(("psnr", "ssim", "mae")) == ("34.60", "0.9611", "-")


def test_parts_are_means_of_their_own(tmp_path: Path) -> None:
    names = write_dpdd("c")(tmp_path, "test", numbered(3))
    subjects = open_subjects("dpdd", tmp_path)
    scores = tuple(Score(name, {"mae": number / 10}) for number, name in enumerate(names))
    parts = {"indoor": frozenset(names[:1]), "outdoor": frozenset(names[1:])}
    made = make_report(subjects, [Outcome("net", {}, scores)], parts)
    measured = {row.part: row.figures["mae"] for row in made.rows if row.source == MEASURED}
    assert measured == pytest.approx({"": 0.1, "indoor": 0.0, "outdoor": 0.15})


def test_csv_holds_everything(report: Report) -> None:
    first, second, *papers = csv.DictReader(io.StringIO(as_csv(report)))
    assert (first["method"], first["psnr"], first["pictures"]) == ("net_1", "31.5", "4")
    assert json.loads(first["settings"])["tile"] == 512
    assert "torch" in json.loads(second["versions"])
    assert "rounded to 8 bits" in first["protocol"]
    assert all(paper["settings"] == paper["versions"] == "" for paper in papers)


def test_json_holds_everything(report: Report) -> None:
    read = json.loads(as_json(report))
    assert read["rows"][0]["figures"]["psnr"] == 31.5
    assert read["settings"]["net_1"]["tile"] == 512
    assert {"dataset", "protocol", "versions", "settings", "rows"} == read.keys()


def test_infinite_means_are_null_in_json(subjects: Subjects) -> None:
    equal = Outcome("truth", {}, (Score("a", {"psnr": math.inf}),))
    read = json.loads(as_json(make_report(subjects, [equal], {})))
    assert read["rows"][0]["figures"]["psnr"] is None


def test_markdown_is_a_table(report: Report) -> None:
    lines = as_markdown(report).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len({line.count(" | ") for line in table}) == 1
    assert len(table) == 2 + len(report.rows)
    assert "PSNR (dB) ↑" in table[0]
    assert any("torch" in line for line in lines)


def test_latex_has_no_bare_special_signs(report: Report) -> None:
    text = as_latex(report)
    body = [line for line in text.splitlines() if not line.startswith("%")]
    assert "net\\_1 & 31.500 & 0.9000 & 0.8000 & measured (4 pictures)" in text
    assert body[0] == "\\begin{tabular}{llrrrl}"
    assert len([line for line in body if line.endswith("\\\\")]) == 1 + len(report.rows)
    assert not any("_" in line.replace("\\_", "") for line in body)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_latex_compiles(report: Report, tmp_path: Path) -> None:
    head = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}"
    (tmp_path / "a.tex").write_text(f"{head}\n{as_latex(report)}\\end{{document}}\n")
    subprocess.run(["pdflatex", "-halt-on-error", "a.tex"], cwd=tmp_path, check=True)


def test_documents_replace_those_of_an_earlier_run(report: Report, tmp_path: Path) -> None:
    for _ in range(2):
        write_documents(report, tmp_path)
    names = {path.name for path in tmp_path.glob("table.*")}
    assert names == {"table.csv", "table.json", "table.md", "table.tex"}


def test_published_rows_are_of_known_sets_and_figures() -> None:
    rows = published_rows()
    for row in rows:
        assert row.dataset in PUBLISHED
        assert row.figures.keys() <= FIGURES.keys()
        assert row.source
    second_hand = sum("second hand" in row.source for row in rows)
    assert f"{len(rows)} rows, of which {second_hand} are" in DOCUMENT.read_text("utf-8")
    keys = [(row.dataset, row.part, row.method, row.source) for row in rows]
    assert len(set(keys)) == len(keys)
