from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deblur_cli.video import reader as reader_module
from deblur_cli.video.clip import probe
from deblur_cli.video.reader import Position, Reader, Selection
from tests.video.clips import Recipe, streams_of, write_clip, write_pictures
from tests.video.interlaced import write_interlaced

IRREGULAR = [0, 40, 80, 200, 210, 220, 500, 540, 580, 900, 1000, 1001]


def _reader(path: Path, **wishes: object) -> Reader:
    return Reader(probe(path, deinterlace=bool(wishes.get("deinterlace"))), **wishes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty frames, a key frame every eight, B-frames between."""
    recipe = Recipe(frames=50, options={"g": "8", "bf": "3"})
    return write_clip(tmp_path_factory.mktemp("reader") / "in.mp4", recipe)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_irregular_timestamps(tmp_path: Path, ending: str) -> None:
    recipe = Recipe(times=IRREGULAR, time_base=Fraction(1, 1000), options={"bf": "3"})
    reader = _reader(write_clip(tmp_path / f"in.{ending}", recipe))
    times = [frame.pts * reader.clip.time_base * 1000 for frame in reader.frames()]
    assert times == IRREGULAR
    assert reader.problems == []


@given(first=st.integers(0, 48))
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_reading_goes_on_behind_any_frame(clip: Path, first: int) -> None:
    everything = list(_reader(clip).frames())
    behind = Position(everything[first].pts, everything[first].number + 1)
    rest = list(_reader(clip).frames(behind))
    assert [(frame.number, frame.pts) for frame in rest] == [
        (frame.number, frame.pts) for frame in everything[first + 1 :]
    ]
    for here, there in zip(rest, everything[first + 1 :], strict=True):
        assert bytes(here.picture.planes[0]) == bytes(there.picture.planes[0])


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("in.ts", Recipe(30, times=[90000 + 3600 * n for n in range(30)])),
        ("in.avi", Recipe(30)),
        ("in.webm", Recipe(30, codec="libvpx-vp9", pix_fmt="yuva420p", see_through=True)),
        ("in.mov", Recipe(30, codec="prores_ks", pix_fmt="yuv422p10le")),
    ],
)
def test_reading_goes_on_in_other_kinds_of_files(tmp_path: Path, name: str, recipe: Recipe) -> None:
    late = replace(recipe, time_base=None if recipe.times is None else Fraction(1, 90000))
    options = {"g": "8", "bf": "3"} if recipe.codec == "libx264" else {}
    source = write_clip(tmp_path / name, replace(late, options=options))
    everything = list(_reader(source).frames())
    assert len(everything) == 30
    for first in (0, 7, 8, 20, 28):
        behind = Position(everything[first].pts, everything[first].number + 1)
        rest = list(_reader(source).frames(behind))
        assert [(frame.number, frame.pts) for frame in rest] == [
            (frame.number, frame.pts) for frame in everything[first + 1 :]
        ]
        for here, there in zip(rest, everything[first + 1 :], strict=True):
            assert bytes(here.picture.planes[0]) == bytes(there.picture.planes[0])
            assert here.picture.format.name == there.picture.format.name


def test_position_that_is_not_found_is_reached_by_counting(clip: Path) -> None:
    reader = _reader(clip)
    everything = [frame.number for frame in reader.frames()]
    nowhere = Position(everything[20] * reader.clip.tick + 1, 21)
    assert [frame.number for frame in reader.frames(nowhere)] == everything[21:]


def test_reading_goes_on_in_the_first_of_two_recordings_of_the_same_times(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.ts", Recipe(60, options={"g": "8"}))
    once = list(_reader(source).frames())
    source.write_bytes(2 * source.read_bytes())
    reader = _reader(source)
    rest = list(reader.frames(Position(once[55].pts, 56)))
    assert [frame.pts for frame in rest] == [frame.pts for frame in once[56:]]
    assert any("clock jumps back" in problem for problem in reader.problems)


@pytest.mark.parametrize(
    ("selection", "numbers"),
    [
        (Selection(0.4, 0.8), range(10, 20)),
        (Selection(1.9), range(48, 50)),
        (Selection(end=0.1), range(3)),
        (Selection(every=7), range(0, 50, 7)),
        (Selection(0.4, 0.8, 4), range(12, 20, 4)),
        (Selection(99.0), range(0)),
    ],
)
def test_selection(clip: Path, selection: Selection, numbers: range) -> None:
    frames = list(_reader(clip, selection=selection).frames())
    assert [frame.number for frame in frames] == list(numbers)


def test_deinterlacing_keeps_number_and_times(tmp_path: Path) -> None:
    source = write_interlaced(tmp_path / "in.mp4")
    reader = _reader(source, deinterlace=True)
    frames = list(reader.frames())
    times = [frame.pts * reader.clip.time_base for frame in frames]
    assert tuple(times) == streams_of(source)[0].times
    assert {frame.duration * reader.clip.time_base for frame in frames} == {Fraction(1, 25)}
    assert not any(frame.picture.interlaced_frame for frame in frames)


def test_list_of_damage_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "_MOST_PROBLEMS", 3)
    pattern = write_pictures(tmp_path / "%d.png", range(10))
    for number in range(1, 9):
        (tmp_path / f"{number}.png").write_bytes(b"no picture")
    reader = _reader(pattern)
    assert [frame.number for frame in reader.frames()] == [0, 1]
    *named, more = reader.problems
    assert [problem.partition(":")[0] for problem in named] == [
        f"damaged in {number}.png" for number in (1, 2, 3)
    ]
    assert more == "more of it is damaged, which is not listed"


def test_damage_is_noted_with_its_time(tmp_path: Path) -> None:
    recipe = Recipe(frames=40, options={"g": "5", "bf": "0", "crf": "10"})
    source = write_clip(tmp_path / "in.mkv", recipe)
    packet = streams_of(source)[0].data[20]
    source.write_bytes(source.read_bytes().replace(packet, b"\xff" * len(packet)))
    reader = _reader(source)
    assert len(list(reader.frames())) in (39, 40)
    assert "near 0.8" in reader.problems[0]
