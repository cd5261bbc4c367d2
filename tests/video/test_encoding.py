from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from deblur_cli.errors import UsageError
from deblur_cli.video import encoding as encoding_module
from deblur_cli.video.clip import Clip
from deblur_cli.video.containers import Container
from deblur_cli.video.encoding import Encoding, Wish, check_opens, choose_encoding
from deblur_cli.video.h273 import Colours
from deblur_cli.video.reader import Frame
from deblur_cli.video.segments import SegmentWriter
from tests.video.clips import picture

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
        ("vp9", MOV, "libx264"),
        ("av1", MOV, "libx264"),
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


def test_transparency_beside_the_pictures_needs_a_file_that_keeps_it() -> None:
    clip = replace(CLIP, codec="vp9", pix_fmt="yuva420p")
    kept, lost = (choose_encoding(clip, container, Wish()) for container in (WEBM, MP4))
    assert (kept.pix_fmt, kept.warnings) == ("yuva420p", ())
    assert (lost.encoder, lost.pix_fmt) == ("libvpx-vp9", "yuv420p")
    assert "does not keep transparency" in lost.warnings[0]


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
        (Wish(codec="libx264"), WEBM, "webm files do not take pictures of libx264"),
        (Wish(pix_fmt="yuv999"), MP4, "pixel format 'yuv999'"),
        (Wish(codec="prores_ks", crf=3), MOV, "has no --crf"),
        (Wish(preset="warp"), MP4, "preset=warp"),
        (Wish(options={"bogus": "1"}), MP4, "no option called bogus"),
        (Wish(lossless=True, crf=3), MP4, "--lossless has no --crf"),
        (Wish(lossless=True, codec="prores_ks"), MOV, "prores_ks is not known to be lossless"),
    ],
)
def test_wishes_that_cannot_be_had(wish: Wish, container: Container, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose_encoding(CLIP, container, wish)


@pytest.mark.parametrize(
    ("codec", "substitute"),
    [
        ("hevc_v4l2m2m", "libx265"),
        ("h264_nvenc", "libx264"),
        ("h264_nowhere", None),
        ("h264_videotoolbox", "libx264"),
        ("av1_amf", "libsvtav1"),
    ],
)
def test_hardware_that_is_not_there_gives_way_loudly(
    monkeypatch: pytest.MonkeyPatch, codec: str, substitute: str | None
) -> None:
    """An encoder that is not in this build, or that cannot be opened on any machine."""

    def only_software(encoding: Encoding, clip: Clip) -> None:
        if encoding.encoder == codec:
            raise UsageError("the encoder cannot be opened")
        check_opens(encoding, clip)

    monkeypatch.setattr(encoding_module, "check_opens", only_software)
    wish = Wish(codec=codec, crf=22, preset="p7", options={"bf": "0"})
    if substitute is None:
        with pytest.raises(UsageError, match=codec):
            choose_encoding(CLIP, MKV, wish)
        return
    encoding = choose_encoding(CLIP, MKV, wish)
    assert encoding.encoder == substitute
    assert encoding.options["crf"] == "22"
    assert not {"preset", "bf"} & encoding.options.keys() or encoding.options.get("preset") == "6"
    assert f"{codec} does not work here, {substitute} is used instead" in encoding.warnings[0]


@pytest.mark.parametrize(
    ("encoder", "codec", "pix_fmt"),
    [
        ("libx264", None, "yuv420p"),
        ("libx264", None, "yuv420p10le"),
        ("libx265", "libx265", "yuv420p10le"),
        ("libsvtav1", "libsvtav1", "yuv420p"),
        ("libvpx-vp9", "libvpx-vp9", "yuv444p"),
        ("ffv1", "ffv1", "yuva444p10le"),
    ],
)
def test_lossless_gives_back_every_sample(
    tmp_path: Path, encoder: str, codec: str | None, pix_fmt: str
) -> None:
    clip = replace(CLIP, pix_fmt=pix_fmt)
    encoding = choose_encoding(clip, MKV, Wish(codec=codec, lossless=True))
    assert encoding.encoder == encoder
    assert encoding.is_lossless
    frames = [av.VideoFrame.from_ndarray(picture(n, (64, 48)), "rgb24") for n in range(3)]
    frames = [frame.reformat(format=pix_fmt) for frame in frames]
    writer = SegmentWriter(tmp_path / "segment", clip, encoding)
    for number, frame in enumerate(frames):
        writer.add(Frame(number, number, 1, frame), frame)
    writer.close()
    with av.open(str(tmp_path / "segment")) as file:
        seen = list(file.decode(video=0))
    for before, after in zip(frames, seen, strict=True):
        assert after.format.name == pix_fmt
        for old, new in zip(before.planes, after.planes, strict=True):
            lines = (np.frombuffer(each, np.uint8).reshape(each.height, -1) for each in (old, new))
            width = old.width * (2 if "10" in pix_fmt else 1)
            np.testing.assert_array_equal(*(each[:, :width] for each in lines))


def test_plain_encodings_are_not_lossless() -> None:
    assert not choose_encoding(CLIP, MKV, Wish()).is_lossless


@pytest.mark.parametrize(
    ("codec", "container", "pix_fmt", "encoder"),
    [
        ("vp9", "webm", "yuv420p10le", "libsvtav1"),
        ("vp9", "matroska", "yuv420p12le", "libx264"),
        ("hevc", "matroska", "yuv420p12le", "libx265"),
    ],
)
def test_encoder_of_few_bits_gives_way(
    codec: str, container: str, pix_fmt: str, encoder: str
) -> None:
    clip = replace(CLIP, codec=codec, pix_fmt=pix_fmt)
    assert choose_encoding(clip, Container(container), Wish()).encoder == encoder


@pytest.mark.parametrize(
    ("name", "muxer"), [("a.mp4", "mp4"), ("a.MOV", "mov"), ("a.mkv", "matroska")]
)
def test_kind_of_file_follows_the_name(name: str, muxer: str) -> None:
    assert Container.of(Path(name)) == Container(muxer)


@pytest.mark.parametrize("name", ["a", "a.txt", "a.avi"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"\.mkv"):
        Container.of(Path(name))
