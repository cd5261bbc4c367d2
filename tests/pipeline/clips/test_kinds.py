"""Videos of many kinds, made by code: what must survive, to the millisecond and to the bit."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from deblur_cli.pipeline.clips.events import ClipRestored, ClipStarted
from deblur_cli.pipeline.clips.job import ClipJob, Selection, Wish
from deblur_cli.pipeline.clips.restoration import ClipRestoration
from deblur_cli.pipeline.clips.restorers import InOrder
from deblur_cli.video.clip import decoder_of, probe
from tests.pipeline.fakes import FakeDeblurrer
from tests.shared import shared_file
from tests.video.clips import (
    Packets,
    Recipe,
    decoded,
    first_frame,
    streams_of,
    times_shown,
    write_clip,
)
from tests.video.test_light import high_dynamic_range

FAST = Wish(preset="ultrafast")
ROTATED = (0, 65536, 0, -65536, 0, 0, 0, 0, 1073741824)
MILLISECOND = Fraction(1, 1000)


def _run(job: ClipJob) -> tuple[ClipStarted, ClipRestored]:
    job.check()
    started, *_, ended = ClipRestoration(job, InOrder(FakeDeblurrer())).run(threading.Event())  # type: ignore[arg-type]
    assert isinstance(started, ClipStarted) and isinstance(ended, ClipRestored)
    return started, ended


def _near(old: tuple[Fraction, ...], new: tuple[Fraction, ...], shift: Fraction) -> bool:
    return len(old) == len(new) and all(
        abs(before - shift - after) <= MILLISECOND for before, after in zip(old, new, strict=True)
    )


def _sounds(streams: list[Packets]) -> list[Packets]:
    return [stream for stream in streams if stream.kind == "audio"]


def _assert_in_sync(source: Path, target: Path, shift: Fraction = Fraction(0)) -> None:
    """Frames and all copied packets at their old times, but for what both are moved by."""
    assert _near(times_shown(source), times_shown(target), shift)
    before, after = streams_of(source), streams_of(target)
    for old, new in zip(_sounds(before), _sounds(after), strict=True):
        assert new.data == old.data
        assert _near(old.times, new.times, shift)


def test_everything_at_once(tmp_path: Path) -> None:
    recipe = Recipe(
        frames=20,
        codec="libx265",
        pix_fmt="yuv420p10le",
        options={"x265-params": "log-level=none:bframes=3"},
        times=[number * 40 + (number % 3) * 7 for number in range(20)],
        time_base=MILLISECOND,
        colours=(1, 1, 1, 1),
        aspect=Fraction(4, 3),
        display_matrix=ROTATED,
        sounds=2,
        subtitles=True,
        chapters=True,
        attachment=b"glyphs",
        metadata={"title": "a clip"},
    )
    source, target = write_clip(tmp_path / "in.mkv", recipe), tmp_path / "out.mkv"
    started, ended = _run(ClipJob(source, target))
    assert (started.warnings, ended.warnings, ended.problems) == ((), (), ())
    _assert_in_sync(source, target)
    before, after = streams_of(source), streams_of(target)
    assert [(each.kind, each.codec) for each in after] == [
        (each.kind, each.codec) for each in before
    ]
    assert [each.data for each in after[1:]] == [each.data for each in before[1:]]
    assert first_frame(target).rotation == -90
    assert first_frame(target).format.name == "yuv420p10le"
    with av.open(str(target)) as file:
        assert [chapter["metadata"] for chapter in file.chapters()] == [
            {"title": "part 0"},
            {"title": "part 1"},
        ]


@pytest.mark.parametrize("first", [-3, 4])
@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_starts_before_and_after_the_sound(tmp_path: Path, ending: str, first: int) -> None:
    """MP4 hides what is before 0 by an edit list; Matroska moves all so that nothing is."""
    times = [25 * (number + first) for number in range(20)]
    recipe = Recipe(20, sounds=1, times=times, time_base=Fraction(1, 625), options={"bf": "2"})
    source, target = write_clip(tmp_path / f"in.{ending}", recipe), tmp_path / f"out.{ending}"
    _run(ClipJob(source, target, FAST))
    _assert_in_sync(source, target)
    assert len(times_shown(target)) == (20 if ending == "mkv" or first > 0 else 17)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_transport_stream_begins_at_0(tmp_path: Path, ending: str) -> None:
    recipe = Recipe(
        20,
        sounds=2,
        sounds_from=Fraction(111),
        times=[3600 * number + 10**7 for number in range(20)],
        time_base=Fraction(1, 90000),
        options={"bf": "2"},
    )
    source, target = write_clip(tmp_path / "in.ts", recipe), tmp_path / f"out.{ending}"
    _run(ClipJob(source, target, FAST))
    clip = probe(source)
    assert 100 < clip.epoch < 112
    assert _near(times_shown(source), times_shown(target), clip.epoch)
    for old, new in zip(_sounds(streams_of(source)), _sounds(streams_of(target)), strict=True):
        assert _near(old.times, new.times, clip.epoch)


def test_part_of_a_transport_stream(tmp_path: Path) -> None:
    times = [3600 * number + 10**7 for number in range(30)]
    source = write_clip(tmp_path / "in.ts", Recipe(30, times=times, time_base=Fraction(1, 90000)))
    _run(ClipJob(source, tmp_path / "out.mp4", FAST, Selection(0.4, 0.8)))
    assert times_shown(tmp_path / "out.mp4") == tuple(Fraction(n, 25) for n in range(10))


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_what_follows_a_jump_of_the_clock_is_named(tmp_path: Path, ending: str) -> None:
    once = write_clip(tmp_path / "in.ts", Recipe(40, sounds=1))
    source, target = tmp_path / "twice.ts", tmp_path / f"out.{ending}"
    source.write_bytes(once.read_bytes() * 2)
    _, ended = _run(ClipJob(source, target, FAST))
    (problem,) = ended.problems
    assert problem.startswith("its clock jumps back near 1.5")
    epoch = probe(source).epoch
    assert _near(times_shown(once), times_shown(target), epoch)
    (before,), (after,) = _sounds(streams_of(once)), _sounds(streams_of(target))
    assert _near(before.times, after.times, epoch)


def test_timecode_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mov", Recipe(metadata={"timecode": "01:00:00:00"}))
    assert [stream.kind for stream in streams_of(source)] == ["video", "data"]
    started, ended = _run(ClipJob(source, tmp_path / "out.mov", FAST))
    assert started.warnings == ("stream 1 (data eng) is left out: mov files do not take it",)
    assert ended.warnings == ("metadata left out: mov files do not take timecode",)
    assert [stream.kind for stream in streams_of(tmp_path / "out.mov")] == ["video"]
    assert (ended.frames, ended.problems) == (12, ())


@pytest.mark.parametrize(("codec", "target"), [("mpeg4", "out.mp4"), ("libx264", "out.mkv")])
def test_avi_without_times_of_showing(tmp_path: Path, codec: str, target: str) -> None:
    recipe = Recipe(20, codec=codec, sounds=1, options={"bf": "2"})
    source = write_clip(tmp_path / "in.avi", recipe)
    _, ended = _run(ClipJob(source, tmp_path / target, FAST))
    assert (ended.frames, ended.problems) == (20, ())
    expected = tuple(Fraction(number, 25) for number in range(20))
    assert _near(expected, times_shown(tmp_path / target), Fraction(0))
    (before,), (after,) = _sounds(streams_of(source)), _sounds(streams_of(tmp_path / target))
    assert len(after.data) == len(before.data)
    assert _near(before.times, after.times, Fraction(0))


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize("target", ["out.mp4", "out.mkv"])
def test_high_dynamic_range_is_kept(tmp_path: Path, transfer: int, target: str) -> None:
    source = write_clip(tmp_path / "in.mp4", high_dynamic_range(transfer))
    started, ended = _run(ClipJob(source, tmp_path / target))
    assert (started.warnings, ended.problems) == ((), ())
    before, after = probe(source), probe(tmp_path / target)
    assert after.colours == before.colours
    assert after.pix_fmt == "yuv420p10le"
    assert after.light == before.light


def _alphas(path: Path) -> list[Any]:
    clip = probe(path)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        decoder = decoder_of(stream, clip.decoder)
        frames = [frame for packet in file.demux(stream) for frame in decoder.decode(packet)]
    dtype = np.uint16 if "le" in frames[0].format.name else np.uint8
    return [
        np.frombuffer(each.planes[3], dtype).reshape(each.height, -1)[:, : each.width]
        for each in frames
    ]


@pytest.mark.parametrize(
    ("ending", "codec", "pix_fmt", "tolerance"),
    [
        ("webm", "libvpx-vp9", "yuva420p", 8),
        ("mkv", "ffv1", "yuva444p10le", 0),
        ("mov", "prores_ks", "yuva444p10le", 4),
    ],
)
def test_transparency_is_kept(
    tmp_path: Path, ending: str, codec: str, pix_fmt: str, tolerance: int
) -> None:
    options = {"profile": "4444"} if codec == "prores_ks" else {}
    recipe = Recipe(6, codec=codec, pix_fmt=pix_fmt, options=options, see_through=True)
    source, target = write_clip(tmp_path / f"in.{ending}", recipe), tmp_path / f"out.{ending}"
    _run(ClipJob(source, target))
    before, after = _alphas(source), _alphas(target)
    assert len(before) == len(after) == 6
    assert before[0].min() < before[0].max() / 2
    for old, new in zip(before, after, strict=True):
        assert np.abs(old.astype(int) - new).mean() <= tolerance


def test_transparency_that_the_codec_cannot_keep_is_named(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.webm", Recipe(6, codec="libvpx-vp9", pix_fmt="yuva420p"))
    started, _ = _run(ClipJob(source, tmp_path / "out.mp4", Wish(codec="libx264")))
    assert "libx264 does not keep transparency" in started.warnings[0]


def test_mix_of_streams_is_judged_before_the_work(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", Recipe(subtitles=True, sounds=1))
    job = ClipJob(source, tmp_path / "out.webm", Wish(codec="libvpx-vp9"))
    started, ended = _run(job)
    assert [warning.split(" is left out")[0] for warning in started.warnings] == [
        "stream 1 (audio aac eng)",
        "stream 2 (subtitle srt)",
    ]
    assert ended.warnings == ()


def test_metadata_that_is_lost_is_named(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", Recipe(metadata={"title": "a clip", "mood": "calm"}))
    _, ended = _run(ClipJob(source, tmp_path / "out.mp4", FAST))
    assert ended.warnings == ("metadata left out: mp4 files do not take MOOD",)


def test_lossless_round_trip(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", Recipe(6))
    _run(ClipJob(source, tmp_path / "out.mp4", Wish(lossless=True), strength=0.0))
    for before, after in zip(decoded(source), decoded(tmp_path / "out.mp4"), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("preferred", "ending"), [(0, "mkv"), (1, "mkv"), (1, "mp4")])
def test_default_one_of_two_video_streams_is_restored(
    tmp_path: Path, preferred: int, ending: str
) -> None:
    parts = [
        write_clip(tmp_path / "a.mkv", Recipe(6)),
        write_clip(tmp_path / "b.mkv", Recipe(9, size=(32, 32))),
    ]
    source, target = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    _write_together(parts, source, preferred)
    _, ended = _run(ClipJob(source, target, FAST))
    assert ended.frames == (6, 9)[preferred]
    before, after = streams_of(source), streams_of(target)
    assert [each.disposition for each in after] == [each.disposition for each in before]
    assert [each.times for each in after] == [each.times for each in before]
    assert after[1 - preferred].data == before[1 - preferred].data
    assert after[preferred].data != before[preferred].data


def _write_together(parts: list[Path], target: Path, preferred: int) -> None:
    with (
        av.open(str(parts[0])) as first,
        av.open(str(parts[1])) as second,
        av.open(str(target), "w") as result,
    ):
        files = (first, second)
        made = [result.add_stream_from_template(file.streams.video[0]) for file in files]
        for number, stream in enumerate(made):
            stream.disposition = av.stream.Disposition.default if number == preferred else 0
        for file, stream in zip(files, made, strict=True):
            for packet in file.demux(file.streams.video[0]):
                if packet.size:
                    packet.stream = stream
                    result.mux(packet)


@pytest.mark.parametrize("name", ["av1_video.mkv", "cat_vp9_opus_4s.mkv", "bikes.mp4"])
def test_real_videos_of_other_codecs(tmp_path: Path, name: str) -> None:
    source = shared_file("video", name)
    _, ended = _run(ClipJob(source, tmp_path / name, Wish(), Selection(end=0.15)))
    assert ended.problems == ()
    shown = [time for time in times_shown(source) if time < Fraction(15, 100)]
    assert _near(tuple(shown), times_shown(tmp_path / name), Fraction(0))
