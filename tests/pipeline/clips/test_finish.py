"""What is finished must be as it should be, and errors say how to get there."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deblur_cli.errors import VideoReadError, VideoWriteError
from deblur_cli.pipeline.clips import finish
from deblur_cli.pipeline.clips.job import ClipJob, Wish
from deblur_cli.pipeline.clips.restoration import ClipRestoration
from deblur_cli.pipeline.clips.restorers import InOrder
from deblur_cli.pipeline.clips.work import WorkFolder
from deblur_cli.video.assembly import Assembly
from deblur_cli.video.segments import Segment
from tests.pipeline.fakes import FakeDeblurrer
from tests.video.clips import Recipe, streams_of, write_clip


@pytest.fixture
def job(tmp_path: Path) -> ClipJob:
    source = write_clip(tmp_path / "in.mp4", Recipe(24))
    return ClipJob(source, tmp_path / "out.mp4", Wish(preset="ultrafast"))


def _run(job: ClipJob) -> None:
    for _ in ClipRestoration(job, InOrder(FakeDeblurrer())).run(threading.Event()):  # type: ignore[arg-type]
        pass


def test_damaged_result_gets_no_name(job: ClipJob, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Assembly.write

    def with_damage(self: Assembly, path: Path) -> int:
        index = write(self, path)
        samples = bytearray(path.read_bytes())
        middle = samples.index(b"mdat") + 2000
        samples[middle : middle + 2000] = b"\xff" * 2000
        path.write_bytes(samples)
        return index

    with monkeypatch.context() as patch:
        patch.setattr(Assembly, "write", with_damage)
        with pytest.raises(VideoWriteError, match="not as it should be") as caught:
            _run(job)
    assert caught.value.path == job.target
    (work,) = job.target.parent.glob(".deblur-work-*")
    assert f"remove {work}" in str(caught.value)
    assert not job.target.exists()
    _run(job)
    assert job.target.exists()


def test_input_that_has_changed_meanwhile_gives_no_result(
    job: ClipJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other streams are copied from it at last, and would be those of another recording."""
    write = Assembly.write

    def change(self: Assembly, path: Path) -> int:
        write_clip(job.source, Recipe(24, sounds=1))
        return write(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(Assembly, "write", change)
        with pytest.raises(VideoReadError, match=r"in\.mp4: it has changed meanwhile"):
            _run(job)
    assert not job.target.exists()
    _run(job)
    assert [stream.kind for stream in streams_of(job.target)] == ["video", "audio"]


def test_frames_that_were_made_twice_are_not_in_the_result_twice(
    job: ClipJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a worker that lives on although another process was told that it is gone."""
    segments = WorkFolder.segments

    def overlapping(self: WorkFolder) -> list[tuple[Path, Segment]]:
        return [
            made
            for path, segment in segments(self)
            for made in ((path, segment), (path, replace(segment, after=segment.pts[0])))
        ]

    monkeypatch.setattr(WorkFolder, "segments", overlapping)
    with pytest.raises(VideoWriteError, match="made twice"):
        _run(job)
    assert not job.target.exists()


def test_full_disk_is_told_from_streams_that_do_not_fit(
    job: ClipJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any, path: Path) -> int:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise VideoWriteError("they cannot be put together", path=path, remedy=".mkv") from full

    monkeypatch.setattr(finish.Assembly, "write", fail)
    with pytest.raises(VideoWriteError, match="free some space; the same command resumes"):
        _run(job)
