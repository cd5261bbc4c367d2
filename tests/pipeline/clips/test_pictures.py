"""Image sequences in and out, by the same job as videos."""

from __future__ import annotations

import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deblur_cli.errors import UsageError, VideoReadError, VideoWriteError
from deblur_cli.pipeline.clips import pictures, work
from deblur_cli.pipeline.clips.events import ClipAlreadyDone, ClipRestored, ClipStarted
from deblur_cli.pipeline.clips.job import ClipJob, Hints, Selection, Wish
from deblur_cli.pipeline.clips.restoration import ClipRestoration
from deblur_cli.pipeline.clips.restorers import InOrder
from deblur_cli.video.clip import probe
from deblur_cli.video.reader import Reader
from deblur_cli.video.sequences import PictureSequence
from tests.pipeline.fakes import FakeDeblurrer
from tests.video.clips import Recipe, streams_of, times_shown, write_clip, write_pictures


def _run(job: ClipJob, network: Any = None, stop: threading.Event | None = None) -> list[Any]:
    job.check()
    return list(
        ClipRestoration(job, InOrder(network or FakeDeblurrer())).run(stop or threading.Event())
    )


def _shown(path: Path, pix_fmt: str = "rgb48le") -> np.ndarray[Any, Any]:
    frames = Reader(probe(path)).frames()
    return np.stack([frame.picture.to_ndarray(format=pix_fmt) for frame in frames])


@pytest.mark.parametrize(("ending", "tolerance"), [("png", 0), ("tif", 0)])
@pytest.mark.parametrize("pix_fmt", ["rgb24", "rgba", "gray", "rgb48be"])
def test_pictures_to_pictures(tmp_path: Path, pix_fmt: str, ending: str, tolerance: int) -> None:
    source = write_pictures(tmp_path / "in" / "%04d.png", range(5, 11), pix_fmt=pix_fmt)
    target = tmp_path / "out" / f"f%03d.{ending}"
    started, *_, ended = _run(ClipJob(source, target))
    assert isinstance(started, ClipStarted) and isinstance(ended, ClipRestored)
    assert (started.frames, ended.frames, ended.problems) == (6, 6, ())
    assert PictureSequence(target).numbers() == list(range(5, 11))
    depth = 16 if "48" in pix_fmt else 8
    layout = {"rgba": "rgba"}.get(pix_fmt, "rgb24" if depth == 8 else "rgb48le")
    before, after = _shown(source, layout), _shown(target, layout)
    inverted = 255 - before if depth == 8 else (255 - before.astype(int)).astype(np.uint16)
    if pix_fmt == "rgba":
        np.testing.assert_array_equal(after[..., 3], before[..., 3])
    assert np.abs(after[..., :3].astype(int) - inverted[..., :3]).max() <= tolerance


def test_video_to_pictures_and_back(tmp_path: Path) -> None:
    recipe = Recipe(10, pix_fmt="yuv420p10le", sounds=1, colours=(1, 1, 1, 1))
    source = write_clip(tmp_path / "in.mp4", recipe)
    pattern, back = tmp_path / "f" / "%06d.png", tmp_path / "back.mkv"
    started, *_ = _run(ClipJob(source, pattern, strength=0.0))
    assert started.encoding == "png rgb48be"
    assert started.warnings == (
        "stream 1 (audio aac eng) is left out: image sequences do not take it",
    )
    assert PictureSequence(pattern).numbers() == list(range(1, 11))
    hints = Hints(Fraction(30000, 1001))
    _run(ClipJob(pattern, back, Wish(codec="ffv1"), strength=0.0, hints=hints))
    clip = probe(back)
    assert clip.rate == Fraction(30000, 1001)
    assert np.abs(_shown(back).astype(int) - _shown(source).astype(int)).mean() < 300
    times = times_shown(back)
    assert len(times) == 10
    assert abs(times[-1] - Fraction(9 * 1001, 30000)) < Fraction(1, 1000)


def test_result_is_known_again(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "in" / "%d.png", range(1, 5))
    job = ClipJob(source, tmp_path / "out" / "%d.png")
    _run(job)
    network = FakeDeblurrer()
    (done,) = _run(job, network)
    assert isinstance(done, ClipAlreadyDone)
    assert network.calls == 0
    write_pictures(source, [3], pix_fmt="gray")
    with pytest.raises(VideoWriteError, match=r"1\.png.*--overwrite"):
        _run(job)


def test_shorter_sequence_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "in" / "%d.png", range(1, 7))
    job = ClipJob(source, tmp_path / "out" / "%d.png")
    _run(job)
    shorter = replace(job, selection=Selection(end=0.12), overwrite=True)
    _run(shorter)
    assert PictureSequence(job.target).numbers() == [1, 2, 3]


def test_pictures_of_others_stay(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "in" / "%d.png", range(1, 4))
    target = write_pictures(tmp_path / "out" / "%d.png", [2])
    before = (tmp_path / "out" / "2.png").read_bytes()
    with pytest.raises(VideoWriteError, match=r"2\.png: another picture"):
        _run(ClipJob(source, target))
    assert (tmp_path / "out" / "2.png").read_bytes() == before


def test_interrupted_sequence_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "FEWEST_FRAMES", 2)
    monkeypatch.setattr(work, "_MOST_FRAMES", 2)
    source = write_pictures(tmp_path / "in" / "%d.png", range(1, 12))
    job = ClipJob(source, tmp_path / "out" / "%d.png")
    stop = threading.Event()
    _run(job, FakeDeblurrer(lambda number: stop.set() if number == 5 else None), stop)
    assert PictureSequence(job.target).numbers() == []
    started, *_, ended = _run(job)
    assert started.done >= 4
    assert ended.frames == 11
    whole = replace(job, target=tmp_path / "whole" / "%d.png")
    _run(whole)
    np.testing.assert_array_equal(_shown(whole.target), _shown(job.target))


def test_cut_short_while_the_pictures_get_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_pictures(tmp_path / "in" / "%d.png", range(1, 6))
    job = ClipJob(source, tmp_path / "out" / "%d.png")
    given: list[int] = []

    def only_two(descriptor: int) -> None:
        given.append(descriptor)
        if len(given) > 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pictures, "os", SimpleNamespace(fsync=only_two))
        with pytest.raises(VideoWriteError, match="No space left"):
            _run(job)
    assert PictureSequence(job.target).numbers() == [4, 5]
    *_, ended = _run(job)
    assert ended.frames == 5
    assert PictureSequence(job.target).numbers() == [1, 2, 3, 4, 5]


def test_damaged_picture_is_named_and_the_rest_restored(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "in" / "%d.png", range(1, 6))
    (tmp_path / "in" / "3.png").write_bytes(b"no picture")
    *_, ended = _run(ClipJob(source, tmp_path / "out.mkv"))
    assert ended.frames == 4
    assert "damaged in 3.png" in ended.problems[0]
    assert len(streams_of(tmp_path / "out.mkv")[0].data) == 4


@pytest.mark.parametrize(
    ("source", "target", "error", "said"),
    [
        ("gone/%d.png", "out/%d.png", VideoReadError, "no such pictures"),
        ("in/%d.png", "in/%d.png", UsageError, "replace its input"),
        ("in/%d.png", "in/%01d.png", UsageError, "replace its input"),
        ("in/%d.png", "out/%d.jpg", UsageError, "no image sequence"),
    ],
)
def test_what_cannot_be_done(
    tmp_path: Path, source: str, target: str, error: type[Exception], said: str
) -> None:
    write_pictures(tmp_path / "in" / "%d.png", range(1, 4))
    with pytest.raises(error, match=said):
        _run(ClipJob(tmp_path / source, tmp_path / target))
