"""Whole videos through the pipeline, with networks that need no torch; seen by PyAV."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from deblur_cli.errors import DeblurError, RestoreError, UsageError, VideoReadError, VideoWriteError
from deblur_cli.pipeline.clips import passage, work
from deblur_cli.pipeline.clips.events import (
    ClipAlreadyDone,
    ClipProgress,
    ClipRestored,
    ClipStarted,
)
from deblur_cli.pipeline.clips.job import ClipJob, Selection, Wish
from deblur_cli.pipeline.clips.restoration import ClipRestoration
from deblur_cli.pipeline.clips.restorers import InOrder
from deblur_cli.pipeline.clips.work import WorkFolder
from deblur_cli.video.colour import to_rgb
from deblur_cli.video.reader import Reader
from tests.pipeline.fakes import FakeDeblurrer
from tests.shared import shared_file
from tests.video.clips import Recipe, decoded, first_frame, streams_of, write_clip

LOSSLESS = Wish(codec="libx264", options={"qp": "0"})
FAST = Wish(preset="ultrafast")
ROTATED = (0, 65536, 0, -65536, 0, 0, 0, 0, 1073741824)


def _run(job: ClipJob, deblurrer: Any = None, stop: threading.Event | None = None) -> list[Any]:
    job.check()
    restoration = ClipRestoration(job, InOrder(deblurrer or FakeDeblurrer()))
    return list(restoration.run(stop or threading.Event()))


def _restored(job: ClipJob, deblurrer: Any = None) -> ClipRestored:
    last = _run(job, deblurrer)[-1]
    assert isinstance(last, ClipRestored)
    return last


def _left_behind(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith(".")} - {".deblur"}


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "FEWEST_FRAMES", 5)
    monkeypatch.setattr(work, "_MOST_FRAMES", 5)


def test_network_sees_every_frame_and_its_result_is_written(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", Recipe(pix_fmt="yuv444p", options={"qp": "0"}))
    ended = _restored(ClipJob(source, tmp_path / "out.mp4", LOSSLESS))
    assert (ended.frames, ended.problems, ended.warnings) == (12, (), ())
    before, after = (decoded(path, "rgb24") for path in (source, tmp_path / "out.mp4"))
    assert len(before) == len(after)
    inverted = 255 - np.stack(before).astype(int)
    assert np.abs(np.stack(after) - inverted).mean() < 2
    assert _left_behind(tmp_path) == set()


@pytest.mark.parametrize(
    ("pix_fmt", "options"),
    [("yuv420p", {"qp": "0"}), ("yuv444p", {"qp": "0"}), ("yuv420p10le", {"qp": "0"})],
)
@pytest.mark.parametrize("colour_range", [1, 2])
def test_no_strength_is_a_plain_encoding(
    tmp_path: Path, pix_fmt: str, options: dict[str, str], colour_range: int
) -> None:
    recipe = Recipe(pix_fmt=pix_fmt, options=options, colours=(1, 1, 1, colour_range))
    source = write_clip(tmp_path / "in.mp4", recipe)
    _restored(ClipJob(source, tmp_path / "out.mp4", LOSSLESS, strength=0.0))
    for before, after in zip(decoded(source), decoded(tmp_path / "out.mp4"), strict=True):
        assert np.abs(before.astype(int) - after).max() <= 1


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_other_streams_are_copied_bit_for_bit(tmp_path: Path, ending: str) -> None:
    recipe = Recipe(
        frames=20,
        sounds=2,
        subtitles=True,
        chapters=True,
        attachment=b"glyphs" if ending == "mkv" else b"",
        metadata={"title": "a clip"},
    )
    source = write_clip(tmp_path / f"in.{ending}", recipe)
    target = tmp_path / f"out.{ending}"
    assert _restored(ClipJob(source, target, FAST)).warnings == ()
    before, after = streams_of(source), streams_of(target)
    assert [stream.kind for stream in after] == [stream.kind for stream in before]
    assert {"video", "audio", "subtitle"} <= {stream.kind for stream in after}
    for old, new in zip(before, after, strict=True):
        assert new.times == old.times
        assert new.disposition == old.disposition
        assert new.metadata.get("language") == old.metadata.get("language")
        if old.kind != "video":
            assert (new.codec, new.data) == (old.codec, old.data)
    with av.open(str(source)) as old, av.open(str(target)) as new:
        assert new.metadata["title"] == "a clip"
        assert [chapter["start"] for chapter in new.chapters()] == [
            chapter["start"] for chapter in old.chapters()
        ]
        assert [stream.data for stream in new.streams.attachments] == [
            stream.data for stream in old.streams.attachments
        ]


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize(
    "times",
    [
        [0, 40, 80, 200, 210, 220, 500, 540, 580, 900, 1000, 1001],
        [700 + 40 * number for number in range(12)],
    ],
    ids=["variable", "late"],
)
def test_timestamps_are_kept(
    tmp_path: Path, short_segments: None, ending: str, times: list[int]
) -> None:
    recipe = Recipe(times=times, time_base=Fraction(1, 1000), options={"bf": "3"})
    source = write_clip(tmp_path / f"in.{ending}", recipe)
    target = tmp_path / f"out.{ending}"
    _restored(ClipJob(source, target))
    expected = tuple(Fraction(time, 1000) for time in times)
    assert streams_of(source)[0].times == expected
    assert streams_of(target)[0].times == expected


def test_what_the_file_says_of_its_picture_is_kept(tmp_path: Path) -> None:
    recipe = Recipe(
        colours=(1, 1, 1, 2),
        aspect=Fraction(4, 3),
        display_matrix=ROTATED,
        codec="libx265",
        pix_fmt="yuv420p10le",
        options={"x265-params": "log-level=none"},
    )
    source = write_clip(tmp_path / "in.mp4", recipe)
    _restored(ClipJob(source, tmp_path / "out.mp4"))
    with av.open(str(tmp_path / "out.mp4")) as file:
        context = file.streams.video[0].codec_context
        assert context.name == "hevc"
        assert context.pix_fmt == "yuv420p10le"
        assert (context.color_primaries, context.color_trc) == (1, 1)
        assert (context.colorspace, context.color_range) == (1, 2)
        assert file.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
    assert first_frame(tmp_path / "out.mp4").rotation == first_frame(source).rotation == -90


def test_transparency_is_kept(tmp_path: Path) -> None:
    recipe = Recipe(codec="ffv1", pix_fmt="yuva420p")
    source = write_clip(tmp_path / "in.mkv", recipe)
    _restored(ClipJob(source, tmp_path / "out.mkv"))
    before, after = first_frame(source), first_frame(tmp_path / "out.mkv")
    assert after.format.name == "yuva420p"
    assert bytes(after.planes[3]) == bytes(before.planes[3])
    assert bytes(after.planes[0]) != bytes(before.planes[0])


def test_stream_that_the_container_does_not_take_is_named(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", Recipe(subtitles=True, sounds=1))
    started, *_ = _run(ClipJob(source, tmp_path / "out.mp4"))
    (warning,) = started.warnings
    assert "subtitle srt" in warning
    assert [stream.kind for stream in streams_of(tmp_path / "out.mp4")] == ["video", "audio"]


def test_part_of_a_video(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", Recipe(frames=50, sounds=1))
    _restored(ClipJob(source, tmp_path / "out.mp4", FAST, Selection(0.4, 1.2, 2)))
    video, sound = streams_of(tmp_path / "out.mp4")
    assert video.times == tuple(Fraction(number, 25) for number in range(0, 20, 2))
    assert abs(sound.times[0]) < Fraction(1024, 48000)
    assert set(sound.data) < set(streams_of(source)[1].data)


class Interrupting(FakeDeblurrer):
    """Sets `stop`, or fails, at a certain frame."""

    def __init__(self, number: int, stop: threading.Event | None = None) -> None:
        def before(frame: int) -> None:
            if frame == number:
                if stop is None:
                    raise RestoreError("no memory")
                stop.set()

        super().__init__(before)


def test_interrupted_run_is_continued(tmp_path: Path, short_segments: None) -> None:
    source = write_clip(tmp_path / "in.mp4", Recipe(frames=23, options={"bf": "2", "g": "10"}))
    target = tmp_path / "out.mp4"
    stop = threading.Event()
    events = _run(ClipJob(source, target), Interrupting(8, stop), stop)
    assert not isinstance(events[-1], ClipRestored)
    assert not target.exists()
    done = events[-1].done
    assert 8 <= done < 23
    network = FakeDeblurrer()
    started, *_, ended = _run(ClipJob(source, target), network)
    assert isinstance(started, ClipStarted)
    assert started.done == done
    assert network.calls == 23 - done
    assert ended.frames == 23
    whole = tmp_path / "whole.mp4"
    _restored(ClipJob(source, whole))
    assert streams_of(whole)[0].times == streams_of(target)[0].times
    for straight, resumed in zip(decoded(whole), decoded(target), strict=True):
        assert np.abs(straight.astype(int) - resumed).mean() < 2


def test_failed_network_loses_no_frames(tmp_path: Path, short_segments: None) -> None:
    source = write_clip(tmp_path / "in.mp4")
    target = tmp_path / "out.mp4"
    with pytest.raises(RestoreError, match="no memory"):
        _run(ClipJob(source, target), Interrupting(8))
    assert not target.exists()
    network = FakeDeblurrer()
    assert _restored(ClipJob(source, target), network).frames == 12
    assert network.calls == 12 - 7


def test_torn_segment_is_made_again(tmp_path: Path, short_segments: None) -> None:
    source = write_clip(tmp_path / "in.mp4", Recipe(frames=20))
    stop = threading.Event()
    _run(ClipJob(source, tmp_path / "out.mp4"), Interrupting(13, stop), stop)
    (work_folder,) = tmp_path.glob(".deblur-work-*")
    second, _ = WorkFolder(work_folder).segments()[1]
    second.write_bytes(second.read_bytes()[:-100])
    network = FakeDeblurrer()
    started, *_, ended = _run(ClipJob(source, tmp_path / "out.mp4"), network)
    assert started.done == 5 + 3
    assert network.calls == 20 - 8
    assert ended.frames == 20
    assert streams_of(tmp_path / "out.mp4")[0].times == streams_of(source)[0].times


def test_other_settings_do_not_mix(tmp_path: Path, short_segments: None) -> None:
    source = write_clip(tmp_path / "in.mp4")
    stop = threading.Event()
    _run(ClipJob(source, tmp_path / "out.mp4"), Interrupting(7, stop), stop)
    started, *_ = _run(ClipJob(source, tmp_path / "out.mp4", Wish(crf=30)))
    assert started.done == 0


def test_already_done_and_in_the_way(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4")
    job = ClipJob(source, tmp_path / "out.mp4")
    _restored(job)
    assert _run(job) == [ClipAlreadyDone(source, tmp_path / "out.mp4", problems=())]
    other = replace(job, wish=Wish(crf=30))
    with pytest.raises(VideoWriteError, match="--overwrite"):
        _run(other)
    size = (tmp_path / "out.mp4").stat().st_size
    assert _restored(replace(other, overwrite=True)).bytes != size


@pytest.mark.parametrize("place", [0.5, 0.8])
def test_truncated_file_is_restored_as_far_as_it_goes(tmp_path: Path, place: float) -> None:
    options = {"g": "5", "preset": "ultrafast"}
    source = write_clip(tmp_path / "in.mkv", Recipe(frames=40, options=options, sounds=1))
    content = source.read_bytes()
    source.write_bytes(content[: int(len(content) * place)])
    ended = _restored(ClipJob(source, tmp_path / "out.mkv"))
    assert 0 < ended.frames < 40
    (problem,) = ended.problems
    assert "before it should" in problem


def test_damaged_packet_is_named_and_the_rest_restored(tmp_path: Path) -> None:
    recipe = Recipe(frames=40, sounds=1, options={"g": "5", "bf": "0", "crf": "10"})
    source = write_clip(tmp_path / "in.mkv", recipe)
    frame = streams_of(source)[0].data[20]
    content = source.read_bytes()
    assert content.count(frame) == 1
    source.write_bytes(content.replace(frame, b"\xff" * len(frame)))
    ended = _restored(ClipJob(source, tmp_path / "out.mkv", FAST))
    assert ended.problems
    assert "0.8" in ended.problems[0]
    assert ended.frames in (39, 40)
    before, after = streams_of(source), streams_of(tmp_path / "out.mkv")
    assert after[1].data == before[1].data
    assert set(after[0].times) <= set(before[0].times)


def test_progress_counts_frames(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4")
    events = _run(ClipJob(source, tmp_path / "out.mp4"))
    progress = [event for event in events if isinstance(event, ClipProgress)]
    assert [event.done for event in progress] == list(range(1, 13))
    assert {event.frames for event in progress} == {12}
    assert all(seconds >= 0 for seconds in vars(progress[-1].shares).values())


@pytest.mark.parametrize("skip_sharp", [None, 0.5, 0.0])
def test_few_frames_are_held_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skip_sharp: float | None
) -> None:
    """However long the video, whether the network restores its frames or all are left alone."""
    frames: list[weakref.ref[Any]] = []
    images: list[weakref.ref[Any]] = []
    most = [0, 0]
    read = Reader.frames

    def watched_frames(*args: Any) -> Iterator[Any]:
        for frame in read(*args):
            frames.append(weakref.ref(frame))
            yield frame

    def watched_image(picture: Any) -> Any:
        for place, kind in enumerate((frames, images)):
            kind[:] = [each for each in kind if each() is not None]
            most[place] = max(most[place], len(kind))
        image = to_rgb(picture)
        images.append(weakref.ref(image))
        return image

    monkeypatch.setattr(Reader, "frames", watched_frames)
    monkeypatch.setattr(passage, "to_rgb", watched_image)
    source = write_clip(tmp_path / "in.mp4", Recipe(frames=60, options={"preset": "ultrafast"}))
    job = ClipJob(source, tmp_path / "out.mp4", FAST, skip_sharp=skip_sharp)
    assert _restored(job).frames == 60
    decoded_ones, painting, painted, waiting = 4 + 2, 2 + 2, 4 + 2, 5 + 3
    assert 1 < most[0] <= decoded_ones + painting + painted + waiting * (skip_sharp is not None)
    assert 1 < most[1] <= decoded_ones + painting


@pytest.mark.parametrize(
    ("source", "target", "error", "said"),
    [
        ("gone.mp4", "out.mp4", VideoReadError, "No such file"),
        ("text.mp4", "out.mp4", VideoReadError, "video"),
        ("in.mp4", "out.gif", UsageError, "out.gif"),
        ("in.mp4", "in.mp4", UsageError, "replace its input"),
        ("in.mp4", "text.mp4/out.mp4", DeblurError, "text.mp4"),
    ],
)
def test_what_cannot_be_done(
    tmp_path: Path, source: str, target: str, error: type[Exception], said: str
) -> None:
    write_clip(tmp_path / "in.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(error, match=said):
        _run(ClipJob(tmp_path / source, tmp_path / target))


@pytest.mark.parametrize(
    "name",
    ["h264_10bits.mp4", "h265_10bits.mp4", "nasa_13013.mp4", "unordered.mov", "video_90.mov"],
)
def test_real_videos_keep_their_streams_and_times(tmp_path: Path, name: str) -> None:
    source = shared_file("video", name)
    job = ClipJob(source, tmp_path / name, FAST, strength=0.0)
    assert _restored(job).problems == ()
    before, after = streams_of(source), streams_of(tmp_path / name)
    assert [stream.times for stream in after] == [stream.times for stream in before]
    assert [stream.data for stream in after[1:]] == [stream.data for stream in before[1:]]
    assert first_frame(tmp_path / name).rotation == first_frame(source).rotation
