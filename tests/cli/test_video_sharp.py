"""`deblur video --skip-sharp`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.video.clips import decoded, write_clip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "in.mp4")


def test_sharp_frames_are_left_and_counted(fake_deblur: Command, clip: Path) -> None:
    command = ("video", "in.mp4", "out.mkv", "--codec", "ffv1", "--skip-sharp", "0")
    ended = fake_deblur(*command, "--json")
    assert ended.returncode == 0, ended.stderr
    assert "12 frames (12 sharp ones left as they are)" in ended.stderr
    (restored,) = (
        event
        for event in map(json.loads, ended.stdout.splitlines())
        if event["event"] == "restored"
    )
    assert (restored["frames"], restored["left_sharp"]) == (12, 12)
    for before, after in zip(decoded(clip), decoded(clip.with_name("out.mkv")), strict=True):
        assert (before == after).all()


def test_auto_is_a_score(fake_deblur: Command, clip: Path) -> None:
    ended = fake_deblur("video", "in.mp4", "out.mp4", "--skip-sharp", "auto")
    assert ended.returncode == 0, ended.stderr
    again = fake_deblur("video", "in.mp4", "out.mp4", "--skip-sharp", "0.5")
    assert "already done" in again.stderr


@pytest.mark.parametrize("score", ["1.5", "-0.1", "nan", "soft"])
def test_what_is_no_score_is_refused(fake_deblur: Command, clip: Path, score: str) -> None:
    ended = fake_deblur("video", "in.mp4", "out.mp4", f"--skip-sharp={score}")
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert not clip.with_name("out.mp4").exists()
