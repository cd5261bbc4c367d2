"""The contract of `deblur video`: exit codes, streams, lines, and interruptions of any kind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command, process_environment
from tests.video.clips import Recipe, streams_of, write_clip

FIELDS = {
    "start": {"version", "model", "warnings"},
    "video": {
        *("source", "target", "width", "height", "frames", "done"),
        *("encoding", "work", "resumable", "warnings"),
    },
    "progress": {"done", "saved", "left_sharp", "frames", "seconds", "shares"},
    "restored": {
        *("source", "target", "frames", "left_sharp", "bytes", "seconds"),
        *("shares", "warnings", "problems"),
    },
    "already-done": {"source", "target", "problems"},
    "compared": {"target", "frames", "bytes"},
    "summary": {"exit_code"},
}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "in.mp4", Recipe(sounds=1))


def _lines(output: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in output.splitlines()]
    for line in lines:
        assert line.pop("schema") == 1
        assert set(line) - {"event"} == FIELDS[line["event"]]
    return lines


def test_video_is_restored_then_already_done(fake_deblur: Command, clip: Path) -> None:
    first = fake_deblur("video", "in.mp4", "out.mp4")
    assert first.returncode == 0, first.stderr
    assert first.stdout == ""
    assert "out.mp4: 12 frames" in first.stderr
    assert [stream.kind for stream in streams_of(clip.with_name("out.mp4"))] == ["video", "audio"]
    again = fake_deblur("video", "in.mp4", "out.mp4")
    assert again.returncode == 0
    assert "already done" in again.stderr


def test_json_lines_and_schema(fake_deblur: Command, clip: Path) -> None:
    lines = _lines(fake_deblur("video", "in.mp4", "out.mp4", "--json").stdout)
    assert [line["event"] for line in (*lines[:2], *lines[-2:])] == [
        *("start", "video", "restored", "summary")
    ]
    assert lines[-2]["frames"] == 12
    assert set(lines[-2]["shares"]) == {"decode", "network", "encode"}
    assert lines[-1]["exit_code"] == 0
    again = _lines(fake_deblur("video", "in.mp4", "out.mp4", "--json").stdout)
    assert [line["event"] for line in again] == ["start", "already-done", "summary"]


def test_before_and_after_side_by_side(fake_deblur: Command, clip: Path) -> None:
    arguments = ("video", "in.mp4", "out.mp4", "--compare", "both.mkv", "--json")
    lines = _lines(fake_deblur(*arguments).stdout)
    assert [line["event"] for line in lines[-3:]] == ["restored", "compared", "summary"]
    assert lines[-2]["frames"] == 12
    assert len(streams_of(clip.with_name("both.mkv"))[0].data) == 12
    again = _lines(fake_deblur(*arguments).stdout)
    assert [line["event"] for line in again[1:]] == ["already-done", "already-done", "summary"]


def test_log_tells_what_the_console_does(fake_deblur: Command, clip: Path) -> None:
    assert fake_deblur("video", "in.mp4", "out.webm", "--log", "log.txt", "-q").returncode == 0
    log = clip.with_name("log.txt").read_text()
    assert "INFO" in log and "out.webm: 12 frames" in log
    assert "WARNING" in log and "in.mp4: stream 1 (audio aac eng) is left out" in log
    assert fake_deblur("video", "gone.mp4", "out.mp4", "--log", "log.txt").returncode == 3
    assert "ERROR" in clip.with_name("log.txt").read_text()


def test_several_devices(fake_deblur: Command, clip: Path) -> None:
    finished = fake_deblur("video", "in.mp4", "out.mp4", "--device", "cuda:0,cuda:1")
    assert finished.returncode == 0
    assert "inverter on cuda:0; inverter on cuda:1" in finished.stderr
    broken = fake_deblur("video", "in.mp4", "two.mp4", "--device", "cuda:0,broken")
    assert broken.returncode == 3
    assert "unspecified launch failure" in broken.stderr


def test_quiet_says_nothing_when_all_is_well(fake_deblur: Command, clip: Path) -> None:
    finished = fake_deblur("video", "in.mp4", "out.mp4", "--quiet")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_parts_that_cannot_be_read_are_named(fake_deblur: Command, tmp_path: Path) -> None:
    options = {"g": "5", "bf": "0", "crf": "10"}
    source = write_clip(tmp_path / "in.mkv", Recipe(frames=40, options=options))
    frame = streams_of(source)[0].data[20]
    source.write_bytes(source.read_bytes().replace(frame, b"\xff" * len(frame)))
    finished = fake_deblur("video", "in.mkv", "out.mkv", "--quiet")
    assert finished.returncode == 1
    assert "in.mkv: damaged near 0.8" in finished.stderr
    assert (tmp_path / "out.mkv").exists()
    again = fake_deblur("video", "in.mkv", "out.mkv", "--quiet")
    assert again.returncode == 1
    assert "damaged near 0.8" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["gone.mp4", "out.mp4"], 3, "gone.mp4"),
        (["text.mp4", "out.mp4"], 3, "text.mp4"),
        (["in.mp4", "out.xyz"], 2, ".mkv"),
        (["in.mp4", "in.mp4"], 2, "replace its input"),
        (["in.mp4", "text.mp4"], 1, "--overwrite"),
        (["in.mp4", "out.mp4", "--codec", "nonsense"], 2, "nonsense"),
        (["in.mp4", "out.webm", "--codec", "libx264"], 2, "webm"),
        (["in.mp4", "out.mp4", "--pix-fmt", "yuv999"], 2, "yuv999"),
        (["in.mp4", "out.mp4", "--encoder-option", "novalue"], 2, "KEY=VALUE"),
        (["in.mp4", "out.mp4", "--encoder-option", "bogus=1"], 2, "bogus"),
        (["in.mp4", "out.mp4", "--preset", "bogus"], 2, "preset=bogus"),
        (["in.mp4", "out.mp4", "--strength", "2"], 2, "--strength"),
        (["in.mp4", "out.mp4", "--start", "x"], 2, "no time"),
        (["in.mp4", "out.mp4", "--start", "0:02", "--end", "1"], 2, "--end"),
        (["in.mp4", "out.mp4", "--start", "99"], 3, "--start"),
        (["in.mp4", "out.mp4", "--every", "0"], 2, "every"),
        (["in.mp4", "out.mp4", "--lossless", "--crf", "3"], 2, "--lossless has no --crf"),
        (["in.mp4", "out.mp4", "--compare", "in.mp4"], 2, "--compare would replace it"),
        (["in.mp4", "f/%d.gif"], 2, "no video is written as '.gif'"),
        (["f/%d.png", "out.mp4"], 3, "no such pictures"),
        (["in.mp4", "out.mp4", "--log", "."], 2, "log cannot be opened"),
        (["in.mp4"], 2, "OUT"),
    ],
)
def test_exit_codes(
    fake_deblur: Command, clip: Path, arguments: list[str], exit_code: int, said: str
) -> None:
    clip.with_name("text.mp4").write_text("no video")
    before = {path.name for path in clip.parent.iterdir()}
    finished = fake_deblur("video", *arguments, "--quiet")
    assert finished.returncode == exit_code, finished.stderr
    assert said in finished.stderr
    assert "Traceback" not in finished.stderr
    assert clip.with_name("text.mp4").read_text() == "no video"
    added = {path.name for path in clip.parent.iterdir()} - before
    assert not {name for name in added if not name.startswith(".")}


def test_missing_extra_is_named(
    fake_deblur: Command, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    finished = fake_deblur("video", "in.mp4", "out.mp4")
    assert finished.returncode == 2
    assert "pip install 'deblur-cli[video]'" in finished.stderr


def _start_slow(folder: Path) -> subprocess.Popen[str]:
    write_clip(folder / "in.mp4", Recipe(frames=60))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cli.fake_deblur", *_arguments(), "--json"],
        env=process_environment(FAKE_SECONDS="0.05"),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _arguments() -> tuple[str, ...]:
    return ("video", "in.mp4", "out.mkv", "--preset", "ultrafast")


def _wait_for(process: subprocess.Popen[str], frames: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line).get("done", 0) >= frames:
            return
    raise AssertionError("the process ended too soon")


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_ends_cleanly_and_the_same_command_resumes(
    fake_deblur: Command, tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    process = _start_slow(tmp_path)
    _wait_for(process, 1)
    process.send_signal(number)
    rest, said = process.communicate(timeout=60)
    assert process.returncode == exit_code, said
    assert "the same command resumes" in said
    assert json.loads(rest.splitlines()[-1])["exit_code"] == exit_code
    assert not (tmp_path / "out.mkv").exists()
    resumed = _lines(fake_deblur(*_arguments(), "--json").stdout)
    assert resumed[1]["done"] >= 1
    assert resumed[-2]["frames"] == 60


def test_killed_process_resumes_where_its_last_segment_ended(
    fake_deblur: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = _start_slow(tmp_path)
    _wait_for(process, 1)
    process.kill()
    process.communicate(timeout=60)
    assert not (tmp_path / "out.mkv").exists()
    resumed = _lines(fake_deblur(*_arguments(), "--json").stdout)
    assert resumed[-2]["frames"] == 60
    assert len(streams_of(tmp_path / "out.mkv")[0].data) == 60
    assert {path.name for path in tmp_path.iterdir()} == {"in.mp4", "out.mkv", ".deblur"}
