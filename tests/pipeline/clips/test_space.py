from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from deblur_cli.pipeline.clips.job import ClipJob, Wish
from deblur_cli.pipeline.clips.plan import ClipPlan
from deblur_cli.pipeline.clips.space import shortage_of_space
from tests.video.clips import Recipe, write_clip

MEGABYTE = 1 << 20


@pytest.fixture
def job(tmp_path: Path) -> ClipJob:
    return ClipJob(write_clip(tmp_path / "in.mp4", Recipe(size=(320, 240))), tmp_path / "out.mkv")


def _warnings(job: ClipJob, frames: int, free: int) -> tuple[str, ...]:
    plan = ClipPlan.of(job)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
        return shortage_of_space(job, plan.clip, plan.encoding, frames)


def test_shortage_is_told_with_both_figures(job: ClipJob) -> None:
    (warning,) = _warnings(job, 100_000, 10 * MEGABYTE)
    assert warning.startswith(f"10 MiB are free at {job.target.parent}, ")
    needed = int(warning.split(", ")[1].split()[0])
    assert 100 < needed < 1000
    assert _warnings(job, 100_000, (needed + 1) * MEGABYTE) == ()


def test_lossless_needs_more(job: ClipJob) -> None:
    free = 700 * MEGABYTE
    lossless = replace(job, wish=Wish(lossless=True))
    assert _warnings(job, 100_000, free) == ()
    assert "may be needed" in _warnings(lossless, 100_000, free)[0]


def test_result_may_be_as_large_as_the_input(job: ClipJob) -> None:
    size = job.source.stat().st_size
    assert _warnings(job, 1, 2 * size) == ()
    assert _warnings(job, 1, 2 * size - 1) != ()
