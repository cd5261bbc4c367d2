"""Which frames of a video are left alone, and how their neighbours are led up to it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.pipeline.clips import work
from deblur_cli.pipeline.clips.events import ClipProgress, ClipRestored
from deblur_cli.pipeline.clips.job import ClipJob, Selection, Wish
from deblur_cli.pipeline.clips.plan import ClipPlan
from deblur_cli.pipeline.clips.restoration import ClipRestoration
from deblur_cli.pipeline.clips.restorers import InOrder
from deblur_cli.pipeline.clips.sharp import CONTEXT, NEIGHBOURS, RAMP, Look, looks, shares
from tests.pipeline.fakes import FakeDeblurrer
from tests.video.clips import CUT, decoded, write_blurred

LOSSLESS = Wish(codec="ffv1")


def _shares(scores: Sequence[float], scenes: Sequence[int] | None = None) -> list[float]:
    seen = [
        Look(score, scene) for score, scene in zip(scores, scenes or [0] * len(scores), strict=True)
    ]
    result = list(shares(iter(enumerate(seen)), 0.5))
    assert [item for item, _ in result] == list(range(len(scores)))
    return [share for _, share in result]


def test_sharp_run_is_left_alone_with_a_ramp_on_both_sides() -> None:
    scores = [0.2] * 8 + [0.6] * 3 + [0.2] * 8
    ramp = [0.25, 0.5, 0.75]
    assert _shares(scores) == [1.0] * 5 + ramp[::-1] + [0.0] * 3 + ramp + [1.0] * 5


def test_frame_that_is_clearly_sharper_than_its_neighbours_is_left_alone() -> None:
    assert _shares([0.3] * 9 + [0.4] + [0.3] * 9)[9] == 0
    assert _shares([0.35] * 9 + [0.4] + [0.35] * 9)[9] == 1
    assert _shares([0.1] * 9 + [0.3] + [0.1] * 9)[9] == 1


def test_alike_frames_get_alike() -> None:
    assert set(_shares([0.4] * 20)) == {1.0}
    assert set(_shares([0.5] * 20)) == {0.0}


def test_neither_comparison_nor_ramp_reach_across_a_cut() -> None:
    scenes = [0] * 6 + [1] * 6
    assert _shares([0.6] * 6 + [0.2] * 6, scenes) == [0.0] * 6 + [1.0] * 6
    scores = [0.3] * 9 + [0.45] * 2
    assert _shares(scores, [0] * 9 + [1] * 2) == [1.0] * 11
    assert _shares(scores)[-2:] == [0.0] * 2


@given(
    scores=st.lists(st.sampled_from([0.2, 0.3, 0.4, 0.6]), min_size=1, max_size=40),
    cut=st.integers(0, 40),
    start=st.integers(0, 40),
)
@settings(deadline=None)
def test_share_depends_on_near_frames_only(scores: list[float], cut: int, start: int) -> None:
    scenes = [int(number >= cut) for number in range(len(scores))]
    whole = _shares(scores, scenes)
    context = RAMP + NEIGHBOURS
    from_there = _shares(scores[start:], scenes[start:]) if start < len(scores) else []
    assert from_there[context:] == whole[start + context :]


def test_looks_number_the_scenes() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    pictures = [cv2.resize(each, (64, 64)) for each in (first, first, second, second)]
    seen = list(looks(iter(enumerate(pictures))))
    assert [look.scene for _, look in seen] == [1, 1, 2, 2]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(work, "FEWEST_FRAMES", 5)
    monkeypatch.setattr(work, "_MOST_FRAMES", 5)
    return write_blurred(tmp_path / "in.mkv")


def _run(job: ClipJob, network: Any = None, stop: threading.Event | None = None) -> list[Any]:
    restoration = ClipRestoration(job, InOrder(network or FakeDeblurrer()))
    return list(restoration.run(stop or threading.Event()))


def _changes(source: Path, result: Path) -> list[float]:
    """Mean difference of each frame from its input, in code values."""
    pairs = zip(decoded(source), decoded(result), strict=True)
    return [float(np.abs(after.astype(int) - before).mean()) for before, after in pairs]


def test_sharp_frames_of_a_video_keep_their_samples(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "out.mkv"
    network = FakeDeblurrer()
    *_, progress, ended = _run(ClipJob(source, target, LOSSLESS, skip_sharp=0.5), network)
    assert isinstance(progress, ClipProgress)
    assert isinstance(ended, ClipRestored)
    assert (ended.frames, ended.left_sharp, progress.left_sharp) == (40, 10, 10)
    assert network.calls == 30
    changes = _changes(source, target)
    assert [number for number, change in enumerate(changes) if change == 0] == [
        *range(12, 18),
        *range(28, 32),
    ]
    for before_run in (11, 27):
        assert 0 < changes[before_run] < changes[before_run - 1] < changes[before_run - 2]
    assert 0 < changes[18] < changes[19] < changes[20]
    assert changes[CUT] == pytest.approx(changes[CUT + 5], rel=0.2)


@pytest.mark.parametrize(
    ("selection", "interruption"),
    [(Selection(), 7), (Selection(), 16), (Selection(start=0.2, every=2), 5)],
)
def test_interrupted_run_gives_the_same_video(
    tmp_path: Path, source: Path, selection: Selection, interruption: int
) -> None:
    whole, resumed = tmp_path / "whole.mkv", tmp_path / "resumed.mkv"
    ended = _run(ClipJob(source, whole, LOSSLESS, selection, skip_sharp=0.5))[-1]
    stop = threading.Event()
    network = FakeDeblurrer(lambda number: number == interruption and stop.set())
    job = ClipJob(source, resumed, LOSSLESS, selection, skip_sharp=0.5)
    _run(job, network, stop)
    again = _run(job)[-1]
    assert (again.frames, again.left_sharp) == (ended.frames, ended.left_sharp)
    assert again.left_sharp > 0
    for straight, other in zip(decoded(whole), decoded(resumed), strict=True):
        assert (straight == other).all()


def test_settings_tell_it_apart(tmp_path: Path, source: Path) -> None:
    job = ClipJob(source, tmp_path / "out.mkv", LOSSLESS)
    wishes = [None, 0.5, 0.6]
    settings = [ClipPlan.of(replace(job, skip_sharp=wish)).settings({}) for wish in wishes]
    assert [each.get("skip_sharp") for each in settings] == wishes


def test_context_covers_what_decides() -> None:
    assert CONTEXT > RAMP + NEIGHBOURS
