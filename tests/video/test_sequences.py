from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deblur_cli.errors import UsageError, VideoReadError
from deblur_cli.video.clip import Hints, probe
from deblur_cli.video.containers import Container
from deblur_cli.video.reader import Position, Reader
from deblur_cli.video.sequences import PictureSequence, is_sequence
from tests.video.clips import picture, write_pictures


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("f%06d.png", True),
        ("%d.TIFF", True),
        ("f%06d.mp4", False),
        ("f.png", False),
        ("50%off.png", False),
        ("%d-%d.png", False),
        ("there%d.png", False),
    ],
)
def test_names_that_count(tmp_path: Path, name: str, is_one: bool) -> None:
    (tmp_path / "there%d.png").write_bytes(b"")
    assert is_sequence(tmp_path / name) is is_one


@given(number=st.integers(0, 10**7), width=st.integers(0, 8))
def test_name_of_a_number_is_that_of_printf(number: int, width: int) -> None:
    counter = f"%0{width}d" if width else "%d"
    named = PictureSequence(Path(f"a{counter}b.png")).picture(number)
    assert named == Path(f"a{counter}b.png" % number)


def test_other_files_do_not_count(tmp_path: Path) -> None:
    for name in ("f007.png", "f008.png", "f8.png", "f0009.png", "f010.jpg", "xf009.png"):
        (tmp_path / name).write_bytes(b"")
    sequence = PictureSequence(tmp_path / "f%03d.png")
    assert sequence.numbers() == [7, 8]
    assert sequence.first() == 7
    assert sequence.representative() == tmp_path / "f007.png"


def test_gap_is_named(tmp_path: Path) -> None:
    for number in (3, 4, 6):
        (tmp_path / f"{number}.png").write_bytes(b"")
    with pytest.raises(VideoReadError, match=r"5\.png.*goes on with 6\.png"):
        PictureSequence(tmp_path / "%d.png").first()


def test_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(VideoReadError, match="no such pictures"):
        probe(tmp_path / "gone" / "%d.png")


@pytest.mark.parametrize("pix_fmt", ["rgb24", "rgb48be", "rgba", "gray", "gray16be"])
def test_pictures_are_frames(tmp_path: Path, pix_fmt: str) -> None:
    pattern = write_pictures(tmp_path / "100% f" / "%03d.png", range(7, 12), pix_fmt=pix_fmt)
    clip = probe(pattern, hints=Hints(Fraction(30000, 1001)))
    assert (clip.pix_fmt, clip.frames) == (pix_fmt, 5)
    assert clip.rate == Fraction(30000, 1001)
    frames = list(Reader(clip).frames())
    assert [frame.pts * clip.time_base * clip.rate for frame in frames] == list(range(5))
    if pix_fmt == "rgb24":
        assert (frames[2].picture.to_ndarray() == picture(9, (64, 48))).all()
    behind = Position(frames[1].pts, 2)
    assert [frame.number for frame in Reader(clip).frames(behind)] == [2, 3, 4]


def test_rate_is_that_of_sequences_alone(tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_bytes(b"")
    with pytest.raises(UsageError, match="--rate"):
        probe(tmp_path / "in.mp4", hints=Hints(Fraction(25)))


@pytest.mark.parametrize(("name", "encoder"), [("%d.png", "png"), ("a%02d.TIF", "tiff")])
def test_kinds_that_are_written(name: str, encoder: str) -> None:
    container = Container.of(Path(name))
    assert container.is_sequence
    assert container.default_encoder == encoder
    assert container.takes_encoder(encoder)
    assert not container.takes_encoder("libx264")


def test_kind_that_is_not_written() -> None:
    with pytest.raises(UsageError, match=r"no image sequence is written as '\.jpg'"):
        Container.of(Path("%d.jpg"))
