from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from deblur_cli.errors import VideoWriteError
from deblur_cli.video.clip import probe
from deblur_cli.video.containers import Container
from deblur_cli.video.encoding import Wish, choose_encoding
from deblur_cli.video.reader import Reader
from deblur_cli.video.segments import Segment, SegmentWriter, packets_in
from tests.video.clips import Recipe, write_clip


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx-vp9", "prores_ks", "ffv1"])
def test_frames_keep_their_places_and_the_first_is_a_key_frame(
    tmp_path: Path, encoder: str
) -> None:
    times = [number * number for number in range(20)]
    recipe = Recipe(frames=20, times=times, time_base=Fraction(1, 1000))
    clip = probe(write_clip(tmp_path / "in.mkv", recipe))
    encoding = choose_encoding(clip, Container("matroska"), Wish(codec=encoder))
    writer = SegmentWriter(tmp_path / "segment", clip, encoding)
    for frame in Reader(clip).frames():
        writer.add(frame, frame.picture.reformat(format=encoding.pix_fmt))
    assert writer.frames == 20
    segment = writer.close(["damaged"])
    assert segment.pts == tuple(times)
    assert segment.bytes == (tmp_path / "segment").stat().st_size
    assert segment.next_number == 20
    assert Segment.from_json(segment.to_json()) == segment
    packets = list(packets_in(tmp_path / "segment"))
    numbers = [number for number, _ in packets]
    assert sorted(numbers) == list(range(20))
    assert numbers[0] == 0
    assert packets[0][1].is_keyframe
    assert segment.reordered == max(place - number for place, number in enumerate(numbers))
    assert (segment.reordered > 0) == (encoder in ("libx264", "libx265"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pts": 1}'])
def test_torn_record_is_none(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Segment.from_json(text)


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    clip = probe(write_clip(tmp_path / "in.mkv"))
    encoding = choose_encoding(clip, Container("matroska"), Wish())
    with pytest.raises(VideoWriteError, match="gone"):
        writer = SegmentWriter(tmp_path / "gone" / "segment", clip, encoding)
        for frame in Reader(clip).frames():
            writer.add(frame, frame.picture)
        writer.close()
