"""`deblur video` with raw frames on stdin and stdout, which carry nothing else."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from tests.cli.conftest import Command, process_environment
from tests.video.clips import Recipe, decoded, streams_of, times_shown, write_clip

SIZE = 64 * 48 * 3 // 2
RAW = ("--size", "64x48", "--pix-fmt", "yuv420p")


@dataclass(frozen=True)
class Streamed:
    """How a command ended, and what it wrote."""

    returncode: int
    stdout: bytes
    stderr: str


Streaming = Callable[..., Streamed]


@pytest.fixture
def deblur_stream(fake_deblur: Command, monkeypatch: pytest.MonkeyPatch) -> Streaming:
    """`deblur video` with bytes on stdin and stdout, in this process."""

    def run(*arguments: str, frames: bytes = b"") -> Streamed:
        out = io.TextIOWrapper(io.BytesIO())
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(frames)))
            patch.setattr(sys, "stdout", out)
            finished = fake_deblur("video", *arguments)
        out.flush()
        return Streamed(finished.returncode, out.buffer.getvalue(), finished.stderr)  # type: ignore[attr-defined]

    return run


@pytest.fixture
def samples(tmp_path: Path) -> bytes:
    """Twelve frames, as they lie in a file."""
    source = write_clip(tmp_path / "in.mp4", Recipe(sounds=1))
    return b"".join(frame.tobytes() for frame in decoded(source))


def test_frames_on_stdout_and_nothing_else(
    deblur_stream: Streaming, tmp_path: Path, samples: bytes
) -> None:
    finished = deblur_stream("in.mp4", "-", "--strength", "0")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == samples
    assert "stream 1 (audio aac eng) is left out: raw frames do not take it" in finished.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"in.mp4"}


def test_pixel_format_of_stdout(deblur_stream: Streaming, tmp_path: Path, samples: bytes) -> None:
    finished = deblur_stream("in.mp4", "-", "--pix-fmt", "rgb48le", "--quiet", "--end", "0.1")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert len(finished.stdout) == 3 * 64 * 48 * 6


def test_frames_on_stdin(deblur_stream: Streaming, tmp_path: Path, samples: bytes) -> None:
    arguments = ("-", "out.mkv", *RAW, "--rate", "30000/1001", "--lossless", "--strength", "0")
    finished = deblur_stream(*arguments, frames=samples)
    assert finished.returncode == 0, finished.stderr
    written = np.concatenate([frame.ravel() for frame in decoded(tmp_path / "out.mkv")])
    assert written.tobytes() == samples
    with av.open(str(tmp_path / "out.mkv")) as file:
        assert str(file.streams.video[0].average_rate) == "30000/1001"
    assert float(times_shown(tmp_path / "out.mkv")[-1]) == pytest.approx(11 * 1.001 / 30, abs=1e-3)
    again = deblur_stream(*arguments, frames=samples)
    assert again.returncode == 1
    assert "--overwrite" in again.stderr


def test_frames_through_a_pipe(deblur_stream: Streaming, tmp_path: Path, samples: bytes) -> None:
    once = deblur_stream("-", "-", *RAW, "--quiet", frames=samples)
    twice = deblur_stream("-", "-", *RAW, "--quiet", frames=once.stdout)
    assert once.stdout != samples
    assert len(twice.stdout) == len(samples)
    before, after = (np.frombuffer(each, np.uint8).astype(int) for each in (samples, twice.stdout))
    assert np.abs(before - after).mean() < 2


def test_incomplete_last_frame_is_named(
    deblur_stream: Streaming, tmp_path: Path, samples: bytes
) -> None:
    finished = deblur_stream("-", "out.mkv", *RAW, frames=samples[:-100])
    assert finished.returncode == 1
    assert "damaged near 0.44 s" in finished.stderr
    assert len(streams_of(tmp_path / "out.mkv")[0].data) == 11
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"in.mp4", "out.mkv", ".deblur"}


def test_reader_that_goes_away(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", Recipe(60, size=(320, 240)))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cli.fake_deblur", "video", "in.mp4", "-"],
        cwd=tmp_path,
        env=process_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(1000)
        process.stdout.close()
        said = process.stderr.read().decode()
    assert process.returncode == 1
    assert "standard output: frames cannot be written" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["-", "out.mp4"], 2, "--size and --pix-fmt"),
        (["-", "out.mp4", "--size", "64x48"], 2, "--size and --pix-fmt"),
        (["-", "out.mp4", *RAW, "--compare", "both.mp4"], 2, "--compare needs files"),
        (["-", "-", *RAW, "--json"], 2, "cannot share stdout"),
        (["-", "out.mp4", "--size", "64", "--pix-fmt", "gray"], 2, "no size"),
        (["-", "out.mp4", "--size", "64x48", "--pix-fmt", "red"], 2, "called 'red'"),
        (["-", "out.mp4", *RAW, "--rate", "x"], 2, "no frame rate"),
        (["-", "out.mp4", *RAW], 3, "no frame to restore"),
        (["in.mp4", "out.mp4", "--size", "64x48"], 2, "--size is that of raw frames"),
        (["in.mp4", "out.mp4", "--rate", "25"], 2, "--rate is that of"),
        (["in.mp4", "out.mp4", "--input-pix-fmt", "gray"], 2, "--input-pix-fmt"),
        (["in.mp4", "-", "--codec", "libx264"], 2, "raw frames do not take pictures of libx264"),
    ],
)
def test_exit_codes(
    deblur_stream: Streaming, tmp_path: Path, arguments: list[str], exit_code: int, said: str
) -> None:
    write_clip(tmp_path / "in.mp4")
    finished = deblur_stream(*arguments)
    assert finished.returncode == exit_code, finished.stderr
    assert said in finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.stdout == b""
    assert not (tmp_path / "out.mp4").exists()
