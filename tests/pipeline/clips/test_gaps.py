"""What is missing between segments, and how it is cut into parts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.pipeline.clips.gaps import Gap, Part, Reach, gaps, parts_of, whole_gaps
from deblur_cli.video.keyframes import Timeline
from deblur_cli.video.reader import Position
from deblur_cli.video.segments import Segment

NONE = Reach(0, 0)


def _segment(after: int | None, *pts: int, number: int | None = None) -> Segment:
    return Segment(after, f"{after}.mkv", pts, (1,) * len(pts), 0, 1, number)


def test_everything_is_missing_at_first() -> None:
    assert list(gaps([])) == [Gap()]
    assert list(whole_gaps([], NONE, 1)) == [Part(Gap(), None, None)]


def test_missing_are_the_frames_between_segments_and_behind_the_last() -> None:
    segments = [_segment(10, 11, 12), _segment(12, 13), _segment(20, 21, 22)]
    assert list(gaps(segments)) == [Gap(None, 10), Gap(13, 20), Gap(22, None)]


def test_gap_holds_what_is_later_than_its_beginning_up_to_its_end() -> None:
    assert [pts for pts in range(8) if Gap(2, 5).holds(pts)] == [3, 4, 5]
    assert Gap(None, 5).holds(-9)
    assert Gap(2, None).holds(999)


def test_part_begins_behind_the_segment_before() -> None:
    segments = [_segment(None, 0, 1, 2, number=3), _segment(5, 6, 7, number=8)]
    assert list(whole_gaps(segments, NONE, 1)) == [
        Part(Gap(2, 5), Position(2, 3), 5),
        Part(Gap(7, None), Position(7, 8), None),
    ]


def test_part_is_read_with_the_frames_around_it() -> None:
    segments = [_segment(None, 0, 2, 4, 6, number=8), _segment(12, 14, 16, 18, number=20)]
    between, behind = gaps(segments)
    assert list(whole_gaps(segments, Reach(2, 2), 2)) == [
        Part(between, Position(2, 4), 16),
        Part(behind, Position(14, 16), None),
    ]
    assert list(whole_gaps(segments, Reach(5, 9), 2)) == [
        Part(between, None, 18),
        Part(behind, Position(2, 4), None),
    ]


def test_segments_of_which_nobody_counted_the_frames_before() -> None:
    (part,) = whole_gaps([_segment(None, 0, 1)], NONE, 1)
    assert part.start == Position(1, None)


def test_parts_begin_with_key_frames_and_are_not_too_short() -> None:
    timeline = Timeline(range(0, 200, 10), [0, 30, 60, 90, 120, 150, 180])
    parts = list(parts_of(Gap(), timeline, range(20), NONE, 5))
    assert [part.gap for part in parts] == [
        Gap(None, 50),
        Gap(50, 110),
        Gap(110, 170),
        Gap(170, 190),
    ]
    assert [part.start for part in parts] == [
        None,
        *(Position(key - 10, key=key) for key in (60, 120, 180)),
    ]
    assert [part.last for part in parts] == [50, 110, 170, 190]


def test_part_within_a_gap_is_entered_by_the_key_frame_before() -> None:
    timeline = Timeline(range(20), [0, 10])
    (part,) = parts_of(Gap(11, 15), timeline, range(20), Reach(4, 2), 5)
    assert part == Part(Gap(11, 15), Position(7, key=0), 17)


def test_parts_of_a_selection() -> None:
    timeline = Timeline(range(20), [0, 5, 10, 15])
    parts = list(parts_of(Gap(), timeline, range(7, 12), NONE, 1))
    assert [part.gap for part in parts] == [Gap(6, 9), Gap(9, 11)]
    assert list(parts_of(Gap(12, None), timeline, range(7, 12), NONE, 1)) == []


@st.composite
def _timelines(draw: st.DrawFn) -> Timeline:
    shown = sorted(draw(st.sets(st.integers(-50, 500), min_size=1, max_size=80)))
    return Timeline(shown, sorted(draw(st.sets(st.sampled_from(shown)))))


@given(
    timeline=_timelines(),
    ends=st.tuples(st.integers(-60, 510), st.integers(-60, 510)),
    shortest=st.integers(1, 30),
    reach=st.builds(Reach, st.integers(0, 12), st.integers(0, 8)),
    data=st.data(),
)
@settings(deadline=None)
def test_each_frame_that_is_wanted_is_in_one_part_and_read_for_it(
    timeline: Timeline, ends: tuple[int, int], shortest: int, reach: Reach, data: st.DataObject
) -> None:
    gap = Gap(min(ends), max(ends))
    shown = timeline.shown
    first, behind = sorted(data.draw(st.tuples(*2 * [st.integers(0, len(shown))])))
    wanted = [pts for pts in shown[first:behind] if gap.holds(pts)]
    parts = list(parts_of(gap, timeline, range(first, behind), reach, shortest))
    held = [[pts for pts in wanted if part.gap.holds(pts)] for part in parts]
    assert [pts for part in held for pts in part] == wanted
    assert all(len(part) >= shortest for part in held[:-1])
    assert all(part.gap.last == later.gap.after for part, later in pairwise(parts))
    for part, frames in zip(parts, held, strict=True):
        begin = 0 if part.start is None else shown.index(part.start.pts) + 1
        assert part.last is not None
        place, end = shown.index(frames[0]), shown.index(frames[-1])
        if part.start is None:
            first = max(0, place - reach.before)
            assert first == 0 or not any(key <= shown[first] for key in timeline.keys)
        else:
            assert part.start.key in timeline.keys
            assert part.start.key <= shown[begin]
            assert begin == place - reach.before
        assert part.last == shown[min(end + reach.ahead, len(shown) - 1)]
