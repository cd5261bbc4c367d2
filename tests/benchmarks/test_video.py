"""What is compared does the same work: every frame decoded, and encoded as it was."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import pytest

from benchmarks.batch import Cost
from benchmarks.video import Contest, Round, make_clip, reached
from tests.video.clips import decoded

FRAMES = 6


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("input") / "clip.mkv"
    return make_clip(path, FRAMES, height=48, width=64)


@pytest.fixture
def contest(clip: Path, tmp_path: Path) -> Contest:
    return Contest(clip, tmp_path)


def test_clip_moves(contest: Contest, clip: Path) -> None:
    frames = decoded(clip)
    assert len(frames) == contest.frames == FRAMES
    assert all((one != other).any() for one, other in pairwise(frames))


def test_plain_encoding_and_the_job_write_the_same(
    contest: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contest.encode()
    monkeypatch.setattr(Path, "unlink", lambda path: None)
    contest.restore()
    plain, restored = decoded(tmp_path / "plain"), decoded(tmp_path / "restored.mkv")
    assert len(plain) == len(restored) == FRAMES
    for one, other in zip(plain, restored, strict=True):
        assert (one == other).all()


def test_frames_are_brought_into_segments(
    contest: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.video.WorkFolder.remove", lambda work: None)
    contest.bring_through()
    (segment,) = (tmp_path / "work").glob("*.mkv")
    with av.open(str(segment)) as file:
        assert sum(1 for _ in file.decode(video=0)) == FRAMES


def test_round_leaves_only_what_it_began_with(contest: Contest, tmp_path: Path) -> None:
    found = contest.round()
    assert all(cost.clock > 0 for cost in (found.decode, found.encode, found.frames, found.job))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"plain", ".deblur"}


def test_ratio_is_to_the_slower_one_and_the_median() -> None:
    rounds = [
        Round(Cost(1, 1), Cost(2, 4), Cost(clock, 5), Cost(8, 8)) for clock in (2.0, 2.5, 100.0)
    ]
    assert reached(rounds, "frames") == Cost(clock=0.8, processor=0.8)
    assert reached(rounds, "job") == Cost(clock=0.25, processor=0.5)
