from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from deblur_cli.errors import UsageError
from deblur_cli.video.clip import Clip, Colours
from deblur_cli.video.containers import Container
from deblur_cli.video.encoding import Wish, choose_encoding

CLIP = Clip(
    path=Path("in.mp4"),
    index=0,
    codec="h264",
    width=64,
    height=48,
    pix_fmt="yuv420p",
    time_base=Fraction(1, 12800),
    rate=Fraction(25),
    frames=12,
    end=0.48,
    aspect=None,
    colours=Colours(2, 2, 2, 0),
    display_matrix=None,
)
MP4, MKV, MOV, WEBM = (Container(name) for name in ("mp4", "matroska", "mov", "webm"))


@pytest.mark.parametrize(
    ("codec", "container", "encoder"),
    [
        ("h264", MP4, "libx264"),
        ("hevc", MP4, "libx265"),
        ("av1", MKV, "libsvtav1"),
        ("vp9", MKV, "libvpx-vp9"),
        ("h264", WEBM, "libvpx-vp9"),
        ("prores", MOV, "prores_ks"),
        ("prores", MP4, "libx264"),
        ("ffv1", MKV, "ffv1"),
        ("mpeg4", MP4, "libx264"),
    ],
)
def test_codec_of_the_source_else_of_the_container(
    codec: str, container: Container, encoder: str
) -> None:
    clip = replace(CLIP, codec=codec)
    assert choose_encoding(clip, container, Wish()).encoder == encoder


@pytest.mark.parametrize(
    ("pix_fmt", "encoder", "chosen", "warned"),
    [
        ("yuv420p10le", "libx264", "yuv420p10le", ""),
        ("yuvj420p", "libx264", "yuv420p", ""),
        ("yuv422p10le", "libx265", "yuv422p10le", ""),
        ("yuv444p", "libsvtav1", "yuv420p", "yuv444p becomes yuv420p"),
        ("yuva420p", "libx264", "yuv420p", "transparency"),
        ("yuv420p12le", "libx264", "yuv420p10le", "12 bits"),
        ("yuva444p12le", "prores_ks", "yuva444p10le", "12 bits"),
    ],
)
def test_samples_come_near_the_source(pix_fmt: str, encoder: str, chosen: str, warned: str) -> None:
    encoding = choose_encoding(replace(CLIP, pix_fmt=pix_fmt), MKV, Wish(codec=encoder))
    assert encoding.pix_fmt == chosen
    assert bool(encoding.warnings) == bool(warned)
    assert warned in "".join(encoding.warnings)


def test_wishes_become_options() -> None:
    wish = Wish(codec="libx264", crf=30, preset="slow", options={"tune": "film"})
    options = choose_encoding(CLIP, MP4, wish).options
    assert options == {"crf": "30", "preset": "slow", "tune": "film"}


def test_other_ways_to_set_the_rate_replace_the_usual_quality() -> None:
    assert choose_encoding(CLIP, MP4, Wish(options={"qp": "0"})).options == {"qp": "0"}


@pytest.mark.parametrize(
    ("wish", "container", "said"),
    [
        (Wish(codec="nonsense"), MP4, "no video encoder called 'nonsense'"),
        (Wish(codec="aac"), MP4, "no video encoder called 'aac'"),
        (Wish(codec="libx264"), WEBM, "webm does not take pictures of libx264"),
        (Wish(pix_fmt="yuv999"), MP4, "pixel format 'yuv999'"),
        (Wish(codec="prores_ks", crf=3), MOV, "has no --crf"),
        (Wish(preset="warp"), MP4, "preset=warp"),
        (Wish(options={"bogus": "1"}), MP4, "no option called bogus"),
    ],
)
def test_wishes_that_cannot_be_had(wish: Wish, container: Container, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose_encoding(CLIP, container, wish)


def test_hardware_that_is_not_there_gives_way_loudly() -> None:
    wish = Wish(codec="hevc_v4l2m2m", crf=None, options={"bf": "0"})
    encoding = choose_encoding(CLIP, MKV, wish)
    assert encoding.encoder == "libx265"
    assert "hevc_v4l2m2m does not work here, libx265 is used instead" in encoding.warnings[0]


@pytest.mark.parametrize(
    ("name", "muxer"), [("a.mp4", "mp4"), ("a.MOV", "mov"), ("a.mkv", "matroska")]
)
def test_kind_of_file_follows_the_name(name: str, muxer: str) -> None:
    assert Container.of(Path(name)) == Container(muxer)


@pytest.mark.parametrize("name", ["a", "a.txt", "a.avi"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"\.mkv"):
        Container.of(Path(name))
