"""The contract of `deblur run`: exit codes, streams, lines."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image
from PIL.ExifTags import Base

from tests.cli.conftest import Command, process_environment
from tests.cli.json_lines import checked_lines
from tests.pipeline.fakes import mean_of, save_picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("a.png", "town/b.jpg"):
        save_picture(tmp_path / "photos" / name)
    return tmp_path / "photos"


def test_everything_done_then_already_done(fake_deblur: Command, photos: Path) -> None:
    (photos / "notes.txt").write_text("text")
    first = fake_deblur("run", "photos")
    assert first.returncode == 0
    assert first.stdout == ""
    assert "restored 2, already done 0, skipped 1 other files, failed 0" in first.stderr
    assert mean_of(photos.parent / "photos_deblurred/a.png") == 215
    again = fake_deblur("run", "photos")
    assert again.returncode == 0
    assert "restored 0, already done 2" in again.stderr


def test_json_lines_and_schema(fake_deblur: Command, photos: Path) -> None:
    fake_deblur("run", photos / "a.png", "-o", "photos_deblurred")
    (photos / "bad.jpg").write_text("no picture")
    finished = fake_deblur("run", photos, "gone.png", "--json")
    assert finished.returncode == 1
    lines = checked_lines(finished.stdout)
    assert [line["event"] for line in (lines[0], lines[-1])] == ["start", "summary"]
    assert lines[0]["weights"] == {"id": "inverter", "sha256": "", "source": "nowhere"}
    events = {Path(line["source"]).name: line["event"] for line in lines[1:-1]}
    assert events == {
        "a.png": "already-done",
        "b.jpg": "restored",
        "bad.jpg": "failed",
        "gone.png": "failed",
    }
    assert lines[-1]["failed"] == 2
    assert lines[-1]["exit_code"] == 1


def test_dry_run_shows_the_plan_and_writes_nothing(fake_deblur: Command, photos: Path) -> None:
    shown = fake_deblur("run", "photos", "--dry-run")
    assert shown.returncode == 0
    assert shown.stdout.splitlines() == [
        "restore: photos/a.png -> photos_deblurred/a.png",
        "restore: photos/town/b.jpg -> photos_deblurred/town/b.jpg",
    ]
    planned = checked_lines(fake_deblur("run", "photos", "--dry-run", "--json").stdout)
    assert [line["event"] for line in planned] == ["start", "planned", "planned"]
    assert not (photos.parent / "photos_deblurred").exists()


def test_dry_run_ends_as_the_run_would(fake_deblur: Command, photos: Path) -> None:
    for arguments in (["photos", "gone.png"], ["photos"]):
        foreseen = fake_deblur("run", *arguments, "--dry-run")
        assert foreseen.returncode == fake_deblur("run", *arguments).returncode
        assert "in 0 s" not in foreseen.stderr


def test_existing_file_is_refused_and_named(fake_deblur: Command, photos: Path) -> None:
    save_picture(photos.parent / "photos_deblurred/a.png", value=7)
    refused = fake_deblur("run", "photos")
    assert refused.returncode == 1
    assert "photos_deblurred/a.png" in refused.stderr
    assert "--overwrite" in refused.stderr
    assert mean_of(photos.parent / "photos_deblurred/a.png") == 7
    assert fake_deblur("run", "photos", "--dry-run").returncode == 1
    assert fake_deblur("run", "photos", "--overwrite").returncode == 0
    assert mean_of(photos.parent / "photos_deblurred/a.png") == 215


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["gone"], 3, "gone: no such file"),
        (["empty"], 3, "no image"),
        (["text.jpg"], 3, "text.jpg"),
        (["text.jpg", "photos"], 1, "text.jpg"),
        (["gone", "photos"], 1, "gone: no such file"),
        (["photos", "-o", "photos"], 2, "input"),
        (["photos", "-o", "text.jpg"], 2, "is a file"),
        (["photos/a.png", "-o", "a.jpg"], 2, "format"),
        (["photos", "-o", "text.jpg/out"], 1, "text.jpg/out"),
        (["photos", "--strength", "1.5"], 2, "strength"),
        (["photos", "--strength", "nan"], 2, "strength"),
        (["photos", "--tile", "big"], 2, "big"),
        (["photos", "--overlap", "-1"], 2, "overlap"),
        (["photos", "--dtype", "int8"], 2, "int8"),
        (["photos", "--no-such-option"], 2, "no-such-option"),
        (["photos", "x" * 300], 1, "too long"),
        (["photos", "-o", "x" * 300], 1, "too long"),
        (["photos", ""], 2, "empty"),
        ([], 2, "INPUT"),
    ],
)
def test_exit_codes(
    fake_deblur: Command, photos: Path, arguments: list[str], exit_code: int, said: str
) -> None:
    (photos.parent / "empty").mkdir()
    (photos.parent / "text.jpg").write_text("no picture")
    finished = fake_deblur("run", *arguments, "--quiet")
    assert finished.returncode == exit_code, finished.stderr
    assert said in finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""
    if exit_code != 2:
        assert len(finished.stderr.splitlines()) == 1


def test_quiet_says_nothing_when_all_is_well(fake_deblur: Command, photos: Path) -> None:
    finished = fake_deblur("run", "photos", "--quiet")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_file_names_cannot_break_lines(fake_deblur: Command, tmp_path: Path) -> None:
    (tmp_path / "bad\nname\x1b[2J.jpg").write_text("no picture")
    finished = fake_deblur("run", "--quiet", tmp_path)
    assert len(finished.stderr.splitlines()) == 1
    assert "bad\\nname\\x1b[2J.jpg" in finished.stderr


def test_what_pillow_finds_odd_in_metadata_is_no_news(
    fake_deblur: Command, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = save_picture(tmp_path / "a.tif")
    with Image.open(path) as image:
        image.save(path, dpi=(300, 300))
    one, two = (struct.pack("<HHI", Base.ResolutionUnit, 3, count) for count in (1, 2))
    path.write_bytes(path.read_bytes().replace(one, two))
    with pytest.warns(UserWarning, match="too many entries"), Image.open(path) as image:
        image.load()
    assert fake_deblur("run", "a.tif", "--quiet").stderr == ""
    assert list(recwarn) == []


def test_name_that_is_no_unicode(fake_deblur: Command, tmp_path: Path) -> None:
    picture = save_picture(tmp_path / "in/a.png")
    picture.rename(picture.with_name("caf\udce9.png"))
    assert fake_deblur("run", "in", "--dry-run").returncode == 0
    assert fake_deblur("run", "in", "--json").returncode == 0
    assert fake_deblur("run", "in").returncode == 0


def test_several_devices_are_all_named(fake_deblur: Command, photos: Path) -> None:
    finished = fake_deblur("run", "photos", "--device", "cuda:0,cuda:1", "--json")
    assert finished.returncode == 0
    assert finished.stderr.splitlines()[0] == "inverter on cuda:0; inverter on cuda:1"
    start, *restored, summary = checked_lines(finished.stdout)
    assert start["model"] == "inverter on cuda:0; inverter on cuda:1"
    assert start["devices"] == ["cuda:0", "cuda:1"]
    assert {line["device"] for line in restored} <= {"cuda:0", "cuda:1"}
    assert summary["restored"] == 2
    assert "already done 2" in fake_deblur("run", "photos", "--device", "cpu").stderr


def test_lost_device_is_told_and_another_goes_on(fake_deblur: Command, photos: Path) -> None:
    for number in range(20):
        save_picture(photos / f"{number}.png")
    finished = fake_deblur("run", "photos", "--device", "broken:0,cuda:1", "--json")
    assert finished.returncode == 0
    lines = checked_lines(finished.stdout)
    (lost,) = [line for line in lines if line["event"] == "device-lost"]
    assert (lost["device"], lost["problem"]) == (
        "broken:0",
        "CUDA error: unspecified launch failure",
    )
    assert lines[-1]["restored"] == 22
    assert f"{lost['source']}: broken:0 stopped working and is no longer used" in finished.stderr


@pytest.mark.parametrize("devices", ["broken", "broken:0,broken:1"])
def test_no_device_left_says_so_and_the_same_command_resumes(
    fake_deblur: Command, tmp_path: Path, devices: str
) -> None:
    for number in range(9):
        save_picture(tmp_path / f"photos/{number}.png")
    finished = fake_deblur("run", "photos", "--device", devices, "--json")
    assert finished.returncode == 3
    assert "no device is left that works (the same command resumes)" in finished.stderr
    assert "Traceback" not in finished.stderr
    lines = checked_lines(finished.stdout)
    assert lines[-1]["exit_code"] == 3
    assert lines[-1]["remaining"] == 9 - lines[-1]["failed"] > 0
    assert fake_deblur("run", "photos").returncode == 0


@pytest.mark.parametrize(
    ("devices", "exit_code", "said"),
    [
        ("cpu,cpu", 2, "names a device twice"),
        ("cpu,all", 2, "several devices"),
        ("cpu,", 3, "no device called ''"),
        ("all", 3, "no CUDA GPU here (use --device auto)"),
        ("cuda:0,cuda:1", 3, "cuda:0"),
    ],
)
def test_devices_that_make_no_sense(
    deblur: Command,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    devices: str,
    exit_code: int,
    said: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    finished = deblur("run", "photos", "--device", devices)
    assert finished.returncode == exit_code
    assert len(finished.stderr.splitlines()) == 1
    assert said in finished.stderr


def _start_slow(folder: Path, *arguments: str, stdin: int | None = None) -> subprocess.Popen[str]:
    for number in range(9):
        save_picture(folder / f"photos/{number}.png")
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cli.fake_deblur", "run", "photos", *arguments],
        env=process_environment(FAKE_SECONDS="0.5"),
        cwd=folder,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("number", "devices", "exit_code"),
    [
        (signal.SIGTERM, "cpu", 143),
        (signal.SIGINT, "cpu", 130),
        (signal.SIGINT, "cuda:0,cuda:1", 130),
    ],
)
def test_signal_ends_cleanly_and_the_same_command_resumes(
    fake_deblur: Command, tmp_path: Path, number: signal.Signals, devices: str, exit_code: int
) -> None:
    process = _start_slow(tmp_path, "--json", "--device", devices)
    assert process.stdout is not None
    while '"restored"' not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    rest, said = process.communicate(timeout=30)
    assert process.returncode == exit_code, said
    assert "the same command resumes" in said
    summary = json.loads(rest.splitlines()[-1])
    assert summary["exit_code"] == exit_code
    assert summary["remaining"] > 0
    files = {path.name for path in (tmp_path / "photos_deblurred").iterdir()} - {".deblur"}
    assert len(files) == summary["restored"] == 9 - summary["remaining"]
    resumed = fake_deblur("run", "photos")
    assert resumed.returncode == 0
    assert f"already done {len(files)}" in resumed.stderr


def test_sigterm_before_the_batch_begins(tmp_path: Path) -> None:
    process = _start_slow(
        tmp_path, "--files-from", "-", "--status-file", "status", stdin=subprocess.PIPE
    )
    written: set[int] = set()
    while len(written) < 2:  # the first time before anything else, then every second
        assert process.poll() is None
        written |= {path.stat().st_mtime_ns for path in tmp_path.glob("status")}
        time.sleep(0.01)
    process.terminate()
    assert process.communicate(timeout=30)[1] == ""
    assert process.returncode == 143
    assert json.loads((tmp_path / "status").read_text())["exit_code"] == 143


def test_killed_process_leaves_nothing_half_written(fake_deblur: Command, tmp_path: Path) -> None:
    process = _start_slow(tmp_path, "--json")
    assert process.stdout is not None
    while '"restored"' not in process.stdout.readline():
        assert process.poll() is None
    process.kill()
    process.communicate()
    resumed = fake_deblur("run", "photos")
    assert resumed.returncode == 0
    assert all(mean_of(tmp_path / f"photos_deblurred/{n}.png") == 215 for n in range(9))
