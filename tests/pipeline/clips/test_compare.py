from __future__ import annotations

import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deblur_cli.errors import UsageError, VideoWriteError
from deblur_cli.pipeline.clips.compare import Comparison
from deblur_cli.pipeline.clips.events import ClipAlreadyDone, ClipCompared
from deblur_cli.pipeline.clips.job import STREAM, ClipJob, Hints, Selection, Wish
from deblur_cli.pipeline.clips.restoration import ClipRestoration
from deblur_cli.pipeline.clips.restorers import InOrder
from tests.pipeline.fakes import FakeDeblurrer
from tests.video.clips import Recipe, decoded, first_frame, streams_of, times_shown, write_clip

QUARTERS = {
    "none": None,
    "right": (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30),
    "half": (-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30),
    "left": (0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30),
}


def _compared(job: ClipJob, path: Path) -> list[Any]:
    comparison = Comparison(job, path)
    comparison.check()
    job.check()
    list(ClipRestoration(job, InOrder(FakeDeblurrer())).run(threading.Event()))  # type: ignore[arg-type]
    return list(comparison.run(threading.Event()))


@pytest.mark.parametrize("turn", QUARTERS)
def test_input_is_shown_at_the_left(tmp_path: Path, turn: str) -> None:
    recipe = Recipe(sounds=1, display_matrix=QUARTERS[turn], options={"qp": "0"})
    source = write_clip(tmp_path / "in.mp4", recipe)
    job = ClipJob(source, tmp_path / "out.mp4", Wish(lossless=True))
    (event,) = _compared(job, tmp_path / "both.mp4")
    assert event == ClipCompared(event.target, 12, event.target.stat().st_size)
    before, after, both = (
        _as_shown(path) for path in (source, tmp_path / "out.mp4", tmp_path / "both.mp4")
    )
    width = before.shape[1]
    assert both.shape == (before.shape[0], 2 * width, 3)
    assert np.abs(both[:, :width] - before).mean() < 4
    assert np.abs(both[:, width:] - after).mean() < 4
    assert [stream.kind for stream in streams_of(tmp_path / "both.mp4")] == ["video", "audio"]


def _as_shown(path: Path) -> np.ndarray[Any, Any]:
    frame = first_frame(path)
    return np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90).astype(int)


def test_times_and_depth_of_the_input(tmp_path: Path) -> None:
    times = [0, 40, 80, 200, 210, 220, 500, 540, 580, 900, 1000, 1001]
    recipe = Recipe(times=times, time_base=Fraction(1, 1000), pix_fmt="yuv420p10le")
    source = write_clip(tmp_path / "in.mkv", recipe)
    _compared(ClipJob(source, tmp_path / "out.mkv"), tmp_path / "both.mkv")
    assert times_shown(tmp_path / "both.mkv") == tuple(Fraction(time, 1000) for time in times)
    assert first_frame(tmp_path / "both.mkv").format.name == "yuv420p10le"


def test_result_of_less_depth(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", Recipe(pix_fmt="yuv420p10le"))
    job = ClipJob(source, tmp_path / "out.mkv", Wish(pix_fmt="yuv420p"), strength=0.0)
    _compared(job, tmp_path / "both.mkv")
    both = decoded(tmp_path / "both.mkv", "rgb24")[0].astype(int)
    assert np.abs(both[:, :64] - both[:, 64:]).mean() < 4


def test_part_of_a_video_and_pictures(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", Recipe(50))
    job = ClipJob(source, tmp_path / "f" / "%d.png", selection=Selection(0.4, 1.2, 2))
    (event,) = _compared(job, tmp_path / "both.mp4")
    assert event.frames == 10
    assert times_shown(tmp_path / "both.mp4") == tuple(Fraction(n, 25) for n in range(0, 20, 2))


def test_made_once(tmp_path: Path) -> None:
    job = ClipJob(write_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4")
    path = tmp_path / "both.mp4"
    assert isinstance(_compared(job, path)[0], ClipCompared)
    assert _compared(job, path) == [ClipAlreadyDone(job.source, path, ())]
    assert isinstance(
        _compared(replace(job, wish=Wish(crf=40), overwrite=True), path)[0], ClipCompared
    )


def test_other_file_stays(tmp_path: Path) -> None:
    job = ClipJob(write_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4")
    (tmp_path / "both.mp4").write_text("mine")
    with pytest.raises(VideoWriteError, match="--overwrite"):
        _compared(job, tmp_path / "both.mp4")
    assert (tmp_path / "both.mp4").read_text() == "mine"


def test_stopped_before_the_end(tmp_path: Path) -> None:
    job = ClipJob(write_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4")
    list(ClipRestoration(job, InOrder(FakeDeblurrer())).run(threading.Event()))  # type: ignore[arg-type]
    stop = threading.Event()
    stop.set()
    assert list(Comparison(job, tmp_path / "both.mp4").run(stop)) == []
    assert {path.name for path in tmp_path.iterdir()} == {"in.mp4", "out.mp4", ".deblur"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("in.mp4", "replace it"),
        ("out.mp4", "replace it"),
        ("both%d.png", "one file"),
        ("both.gif", "no video is written"),
    ],
)
def test_what_makes_no_sense(tmp_path: Path, name: str, said: str) -> None:
    job = ClipJob(tmp_path / "in.mp4", tmp_path / "out.mp4")
    with pytest.raises(UsageError, match=said):
        Comparison(job, tmp_path / name).check()


def test_raw_frames_cannot_be_compared(tmp_path: Path) -> None:
    job = ClipJob(STREAM, tmp_path / "out.mp4", hints=Hints(size=(64, 48), pix_fmt="gray"))
    with pytest.raises(UsageError, match="--compare needs files"):
        Comparison(job, tmp_path / "both.mp4").check()
