"""Where clips can be cut, held against decoding them as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from deblur_cli.errors import VideoReadError
from deblur_cli.video import keyframes
from deblur_cli.video import reader as reader_module
from deblur_cli.video.clip import Hints, probe
from deblur_cli.video.containers import STREAM
from deblur_cli.video.keyframes import timeline_of
from deblur_cli.video.reader import Position, Reader, Selection
from tests.shared import shared_file
from tests.video.clips import Recipe, streams_of, write_clip, write_pictures

GROUP = {"g": "12"}
KINDS = {
    "closed": ("mp4", Recipe(48, options=GROUP | {"bf": "3"})),
    "open": ("mp4", Recipe(48, options=GROUP | {"bf": "3", "x264-params": "open-gop=1"})),
    "clean random access": (
        "mkv",
        Recipe(48, codec="libx265", options={"x265-params": "keyint=12:log-level=none"}),
    ),
    "alternate references": (
        "webm",
        Recipe(48, codec="libvpx", options=GROUP | {"auto-alt-ref": "1", "lag-in-frames": "16"}),
    ),
    "hidden frames": (
        "webm",
        Recipe(48, codec="libvpx-vp9", options=GROUP | {"auto-alt-ref": "1", "cpu-used": "8"}),
    ),
    "transport stream": ("ts", Recipe(48, codec="mpeg2video", options=GROUP | {"bf": "2"})),
    "key frames alone": ("mov", Recipe(12, codec="prores_ks", pix_fmt="yuv422p10le")),
    "variable": (
        "mkv",
        Recipe(40, options=GROUP, times=[40 * number + number % 3 for number in range(40)]),
    ),
}


def _samples(reader: Reader, *where: object) -> list[tuple[int, int, bytes]]:
    return [
        (frame.pts, frame.duration, frame.picture.to_ndarray().tobytes())
        for frame in reader.frames(*where)  # type: ignore[arg-type]
    ]


def _assert_same_in_pieces(path: Path, least: int = 2) -> None:
    clip = probe(path)
    timeline = timeline_of(clip)
    whole = _samples(Reader(clip))
    assert {pts for pts, _, _ in whole} <= set(timeline.shown)
    begins = sorted({0, *(timeline.shown.index(key) for key in timeline.keys)})
    assert len(begins) >= least
    pieces = [
        _samples(Reader(clip), timeline.before(begin), timeline.shown[end - 1])
        for begin, end in zip(begins, [*begins[1:], len(timeline.shown)], strict=True)
    ]
    assert [frame for piece in pieces for frame in piece] == whole


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_are_the_whole(tmp_path: Path, kind: str) -> None:
    ending, recipe = KINDS[kind]
    _assert_same_in_pieces(write_clip(tmp_path / f"in.{ending}", recipe))


@pytest.mark.parametrize("name", ["bikes.mp4", "cat_vp9_opus_4s.mkv", "nasa_13013.mp4"])
def test_pieces_of_real_videos_are_the_whole(name: str) -> None:
    _assert_same_in_pieces(shared_file("video", name))


def test_frames_before_the_first_key_frame_of_a_piece_are_read_by_the_one_before(
    tmp_path: Path,
) -> None:
    clip = probe(write_clip(tmp_path / "in.mp4", KINDS["open"][1]))
    timeline = timeline_of(clip)
    shown, keys = timeline.shown, timeline.keys
    place = shown.index(keys[1])
    assert timeline.before(place) == Position(shown[place - 1], key=keys[1])
    assert timeline.before(place - 1) == Position(shown[place - 2], key=keys[0])
    assert timeline.before(0) is None
    assert timeline.before(-3) is None


def test_key_frame_that_is_not_found_is_made_up_for_by_one_before(tmp_path: Path) -> None:
    clip = probe(write_clip(tmp_path / "in.mp4", KINDS["closed"][1]))
    shown = timeline_of(clip).shown
    for key in (shown[20] + 1, shown[5], shown[0] - 1):
        start = Position(shown[20], key=key)
        assert [frame.pts for frame in Reader(clip).frames(start)] == list(shown[21:])


def test_clip_that_begins_between_key_frames(tmp_path: Path) -> None:
    """As broadcasts are recorded: what comes before the first key frame is lost, and only that."""
    source = write_clip(tmp_path / "in.ts", KINDS["transport stream"][1])
    shown = timeline_of(probe(source)).shown
    source.write_bytes(source.read_bytes()[188 * 30 :])
    timeline = timeline_of(probe(source))
    assert shown[0] < timeline.shown[0] < timeline.keys[0]
    assert timeline.before(1) is None
    _assert_same_in_pieces(source)


def test_pieces_of_transport_streams_are_not_read_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their files are searched by the times of decoding, which lead behind the key frame."""
    recipe = Recipe(80, rate=Fraction(5), options={"g": "10", "bf": "3"})
    clip = probe(write_clip(tmp_path / "in.ts", recipe))
    timeline = timeline_of(clip)
    read = []
    original = reader_module.packets_of

    def counted(*arguments: Any) -> Iterator[Any]:
        for packet in original(*arguments):
            read.append(packet)
            yield packet

    monkeypatch.setattr(reader_module, "packets_of", counted)
    last = timeline.shown.index(timeline.keys[-1])
    frames = list(Reader(clip).frames(timeline.before(last)))
    assert [frame.pts for frame in frames] == list(timeline.shown[last:])
    assert len(read) < 40


def test_damage_before_a_piece_is_told_by_nobody_else(tmp_path: Path) -> None:
    recipe = Recipe(frames=40, options={"g": "20", "bf": "0", "crf": "10"})
    source = write_clip(tmp_path / "in.mkv", recipe)
    packet = streams_of(source)[0].data[5]
    source.write_bytes(source.read_bytes().replace(packet, b"\xff" * len(packet)))
    clip = probe(source)
    timeline = timeline_of(clip)
    problems = []
    for begin, end in ((0, 20), (12, 20), (20, 40)):
        reader = Reader(clip)
        frames = list(reader.frames(timeline.before(begin), timeline.shown[end - 1]))
        assert frames[-1].pts == timeline.shown[end - 1]
        problems.append(bool(reader.problems))
    assert problems == [True, False, False]


def test_look_ends_when_nobody_needs_it_any_more(tmp_path: Path) -> None:
    clip = probe(write_clip(tmp_path / "in.mp4", Recipe(30)))
    answers = iter([False] * 5)
    assert len(timeline_of(clip, lambda: next(answers, True)).shown) == 5


def test_pictures_of_a_sequence_need_no_look(tmp_path: Path) -> None:
    pattern = write_pictures(tmp_path / "%03d.png", range(5, 11))
    clip = probe(pattern, hints=Hints(rate=Fraction(24)))
    timeline = timeline_of(clip)
    assert list(timeline.shown) == [frame.pts for frame in Reader(clip).frames()]
    assert [frame.pts for frame in Reader(clip).frames(timeline.before(2), 3)] == [2, 3]


@pytest.mark.parametrize(
    ("selection", "places"),
    [
        (Selection(), range(50)),
        (Selection(0.4, 0.8), range(10, 20)),
        (Selection(1.9), range(48, 50)),
        (Selection(end=0.1), range(3)),
        (Selection(99.0), range(50, 50)),
    ],
)
def test_places_of_a_selection_are_those_of_its_frames(
    tmp_path: Path, selection: Selection, places: range
) -> None:
    clip = probe(write_clip(tmp_path / "in.mp4", Recipe(50)))
    timeline = timeline_of(clip)
    assert timeline.places(selection, clip) == places
    frames = Reader(clip, selection).frames()
    assert [frame.pts for frame in frames] == [timeline.shown[place] for place in places]


def test_clips_that_cannot_be_cut_are_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyframes, "_MOST_FRAMES_BETWEEN", 20)
    rare = write_clip(tmp_path / "rare.mp4", Recipe(30, options={"g": "25"}))
    untimed = write_clip(tmp_path / "untimed.avi", Recipe(30))
    for path, why in ((rare, "25 frames apart"), (untimed, "does not tell when")):
        with pytest.raises(VideoReadError, match=why) as raised:
            timeline_of(probe(path))
        assert path.name in str(raised.value)
    with pytest.raises(VideoReadError, match="come once"):
        timeline_of(probe(STREAM, hints=Hints(Fraction(25), (8, 8), "rgb24")))
