"""`deblur run -`: one picture from stdin to stdout."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import process_environment
from tests.pipeline.fakes import save_picture


def _pipe(content: bytes, *options: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "tests.cli.fake_deblur", "run", "-", *options],
        env=process_environment(TMPDIR=str(folder)),
        cwd=folder,
        input=content,
        capture_output=True,
    )


@pytest.mark.parametrize(
    ("options", "form"), [((), "PNG"), (("--format", "jpg", "--quality", "99"), "JPEG")]
)
def test_picture_comes_back_by_content(tmp_path: Path, options: tuple[str, ...], form: str) -> None:
    content = save_picture(tmp_path / "a.png", value=40).read_bytes()
    (tmp_path / "a.png").unlink()
    finished = _pipe(content, *options, folder=tmp_path)
    assert finished.returncode == 0, finished.stderr
    with Image.open(io.BytesIO(finished.stdout)) as result:
        assert result.format == form
        np.testing.assert_allclose(np.asarray(result), 215, atol=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("content", "said"), [(b"text", b"not an image"), (b"", b"empty file")])
def test_what_is_no_picture_is_one_line(tmp_path: Path, content: bytes, said: bytes) -> None:
    finished = _pipe(content, "--quiet", folder=tmp_path)
    assert finished.returncode == 3
    assert finished.stdout == b""
    (line,) = finished.stderr.splitlines()
    assert line.startswith(b"deblur: standard input: " + said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["-"], ["a.png", "--json"]])
def test_stdout_that_takes_nothing_more_is_one_line(tmp_path: Path, arguments: list[str]) -> None:
    save_picture(tmp_path / "a.png")
    with Path("/dev/full").open("wb") as full, (tmp_path / "a.png").open("rb") as picture:
        finished = subprocess.run(
            [sys.executable, "-m", "tests.cli.fake_deblur", "run", *arguments, "--quiet"],
            env=process_environment(),
            cwd=tmp_path,
            stdin=picture,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line.startswith(b"deblur: standard output: cannot be written: No space left")


def test_closed_streams_do_no_harm(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png")
    command = f"exec '{sys.executable}' -m tests.cli.fake_deblur run a.png --json <&- >&- 2>&-"
    finished = subprocess.run(["sh", "-c", command], env=process_environment(), cwd=tmp_path)
    assert finished.returncode == 0
    assert (tmp_path / "a_deblurred.png").exists()
