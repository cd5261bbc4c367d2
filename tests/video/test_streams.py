from __future__ import annotations

from pathlib import Path

import pytest

from deblur_cli.errors import UsageError
from deblur_cli.video import streams
from deblur_cli.video.clip import Hints, probe
from deblur_cli.video.containers import STREAM, Container
from deblur_cli.video.encoding import Wish, choose_encoding
from deblur_cli.video.streams import StreamPlan, plan_streams
from tests.video.clips import Recipe, write_clip


def _plan(source: Path, target: str) -> StreamPlan:
    clip, container = probe(source), Container.of(Path(target))
    return plan_streams(clip, container, choose_encoding(clip, container, Wish()))


@pytest.mark.parametrize(
    ("target", "copied", "left_out"),
    [
        ("out.mkv", {1, 2, 3, 4}, []),
        ("out.mp4", {1, 2}, ["subtitle srt", "attachment"]),
        ("out.webm", {4}, ["audio aac eng", "audio aac deu", "subtitle srt"]),
        ("%d.png", set(), ["audio aac eng", "audio aac deu", "subtitle srt", "attachment"]),
        ("-", set(), ["audio aac eng", "audio aac deu", "subtitle srt", "attachment"]),
    ],
)
def test_what_a_container_does_not_take_is_named(
    tmp_path: Path, target: str, copied: set[int], left_out: list[str]
) -> None:
    recipe = Recipe(sounds=2, subtitles=True, attachment=b"glyphs")
    plan = _plan(write_clip(tmp_path / "in.mkv", recipe), target)
    assert plan.copied == copied
    assert len(plan.warnings) == len(left_out)
    for warning, title in zip(plan.warnings, left_out, strict=True):
        assert title in warning


def test_text_of_chapters_is_no_stream(tmp_path: Path) -> None:
    plan = _plan(write_clip(tmp_path / "in.mp4", Recipe(chapters=True)), "out.mkv")
    assert plan == StreamPlan(frozenset(), ())


def test_mix_that_the_container_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(context: object, encoding: object, clip: object) -> None:
        raise ValueError("one of them is too many")

    source = write_clip(tmp_path / "in.mp4", Recipe(sounds=1))
    monkeypatch.setattr(streams, "configure", refuse)
    with pytest.raises(UsageError, match=r"libx264 together with audio aac eng: one of them.*mkv"):
        _plan(source, "out.mp4")


def test_raw_frames_come_alone() -> None:
    clip = probe(STREAM, hints=Hints(size=(64, 48), pix_fmt="yuv420p"))
    encoding = choose_encoding(clip, Container("matroska"), Wish())
    assert plan_streams(clip, Container("matroska"), encoding) == StreamPlan(frozenset(), ())
