from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Command, process_environment
from tests.pipeline.fakes import save_picture
from tests.reporting.reports import Read


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("a.png", "town/b <i>.jpg"):
        save_picture(tmp_path / "photos" / name, size=(40, 30))
    return tmp_path / "photos"


def test_report_on_a_batch_and_on_the_next(fake_deblur: Command, photos: Path) -> None:
    (photos / "bad.jpg").write_text("no picture")
    order = ("run", "photos", "-o", "out", "--report", "out/report.html", "--strength", "0.5")
    assert fake_deblur(*order).returncode == 1
    page = Read(photos.parent / "out/report.html")
    for said in (
        "1 picture failed; everything else is done.",
        "deblur run photos -o out --report out/report.html --strength 0.5",
        "inverter on cpu",
        "strength 0.5",
        "2 of 3 pictures",
        "photos/town/b <i>.jpg",
        "not an image, whatever its name says",
    ):
        assert said in page.text, said
    results = sorted(each["href"] for each in page.all("a")[1:3])
    assert results == ["a.png", "town/b%20%3Ci%3E.jpg"]
    assert fake_deblur(*order).returncode == 1
    again = Read(photos.parent / "out/report.html")
    assert again.text.count("already done") == 3
    assert len(again.all("img")) == len(page.all("img")) == 4


def test_times_of_every_stage_are_reported(fake_deblur: Command, photos: Path) -> None:
    lines = fake_deblur("run", "photos", "--json").stdout.splitlines()
    restored = [json.loads(line) for line in lines if '"restored",' in line]
    assert len(restored) == 2
    for line in restored:
        assert min(line["read_seconds"], line["seconds"], line["write_seconds"]) > 0


def test_in_place_shows_what_was_there_before(fake_deblur: Command, photos: Path) -> None:
    assert fake_deblur("run", "photos", "--in-place", "--report", "r.html").returncode == 0
    assert len(Read(photos.parent / "r.html").all("img")) == 4
    assert fake_deblur("run", "photos", "--in-place", "--report", "r.html").returncode == 0
    assert Read(photos.parent / "r.html").all("img") == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--report", "photos/a.png"], "photos/a.png: is no name for a report (end it in .html)"),
        (["--report", "r.html", "--dry-run"], "--report and --dry-run exclude each other"),
    ],
)
def test_reports_that_make_no_sense(
    fake_deblur: Command, photos: Path, options: list[str], problem: str
) -> None:
    finished = fake_deblur("run", "photos", *options)
    assert finished.returncode == 2
    assert problem in finished.stderr
    assert not (photos.parent / "r.html").exists()


def test_a_stream_has_no_report(fake_deblur: Command) -> None:
    finished = fake_deblur("run", "-", "--report", "r.html")
    assert finished.returncode == 2
    assert "does not go with --report" in finished.stderr


def test_report_that_cannot_be_written_is_told_before_anything_is_done(
    fake_deblur: Command, photos: Path
) -> None:
    (photos.parent / "r.html").mkdir()
    finished = fake_deblur("run", "photos", "--report", "r.html")
    assert finished.returncode == 1
    assert "r.html: cannot be written: " in finished.stderr
    assert not photos.with_name("photos_deblurred").exists()


def _start(photos: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cli.fake_deblur", "run", "photos", "--report", "r.html"],
        cwd=photos.parent,
        env=process_environment(FAKE_SECONDS=str(seconds)),
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.02)


def test_interrupted_run_writes_its_report(photos: Path) -> None:
    for number in range(30):
        save_picture(photos / f"{number:02}.png", size=(40, 30))
    process = _start(photos, 0.2)
    _wait_for(photos.with_name("photos_deblurred") / "00.png", process)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143
    page = Read(photos.parent / "r.html")
    assert "Ended early: " in page.text
    assert "The same command resumes." in page.text
    assert len(page.all("img")) >= 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_killed_run_leaves_a_page_that_says_so(photos: Path) -> None:
    process = _start(photos, 30)
    _wait_for(photos.parent / "r.html", process)
    process.kill()
    process.communicate()
    assert "or was killed since" in Read(photos.parent / "r.html").text


def test_disk_that_fills_up_before_the_end(
    fake_deblur: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deblur_cli.reporting import report

    write_page, calls = report.write_page, []

    def first_time_only(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        write_page(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(report, "write_page", first_time_only)
    finished = fake_deblur("run", "photos", "--report", "r.html", "--json")
    assert finished.returncode == 1
    assert "r.html: cannot be written: No space left on device" in finished.stderr
    assert json.loads(finished.stdout.splitlines()[-1])["exit_code"] == 1
    assert "was going on" in Read(photos.parent / "r.html").text
