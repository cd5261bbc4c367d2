from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import pytest

from deblur_cli.errors import UsageError
from deblur_cli.video.clip import probe
from deblur_cli.video.containers import Container
from deblur_cli.video.encoding import Wish, choose_encoding
from deblur_cli.video.h273 import Colours
from deblur_cli.video.light import Light
from deblur_cli.video.reader import Reader
from deblur_cli.video.segments import SegmentWriter
from tests.video.clips import Recipe, first_frame, write_clip
from tests.video.test_encoding import CLIP

SCREEN = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
MKV, MOV = Container("matroska"), Container("mov")


def high_dynamic_range(transfer: int = 16) -> Recipe:
    """BT.2020 pictures in 10 bits, graded on a screen of 1000 cd/m²."""
    parameters = f"log-level=none:master-display={SCREEN}:max-cll=1000,400"
    return Recipe(
        codec="libx265",
        pix_fmt="yuv420p10le",
        colours=(9, transfer, 9, 1),
        options={"x265-params": parameters},
    )


def _light_of(path: Path) -> Light:
    return Light.of(first_frame(path))


@pytest.mark.parametrize("transfer", [16, 18])
def test_light_is_read(tmp_path: Path, transfer: int) -> None:
    clip = probe(write_clip(tmp_path / "in.mp4", high_dynamic_range(transfer)))
    assert clip.is_hdr
    assert clip.light.content == (1000, 400)
    screen = clip.light.mastering
    assert screen is not None
    assert (float(screen.green[0]), float(screen.green[1])) == (0.265, 0.69)
    assert (float(screen.red[0]), float(screen.white[1])) == (0.68, 0.329)
    assert (float(screen.brightest), float(screen.darkest)) == (1000, 0.005)


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libsvtav1"])
def test_light_is_written(tmp_path: Path, encoder: str) -> None:
    clip = probe(write_clip(tmp_path / "in.mp4", high_dynamic_range()))
    encoding = choose_encoding(clip, MKV, Wish(codec=encoder))
    assert encoding.warnings == ()
    writer = SegmentWriter(tmp_path / "segment", clip, encoding)
    for frame in Reader(clip).frames():
        writer.add(frame, frame.picture)
    writer.close()
    light = _light_of(tmp_path / "segment")
    assert light.content == clip.light.content
    assert light.mastering is not None and clip.light.mastering is not None
    for name, value in vars(clip.light.mastering).items():
        got = getattr(light.mastering, name)
        pairs = zip(got, value, strict=True) if isinstance(value, tuple) else [(got, value)]
        for there, here in pairs:
            assert float(there) == pytest.approx(float(here), abs=3e-5, rel=0.02)


def test_parameters_of_the_user_stay() -> None:
    light = Light(content=(500, 100))
    wish = Wish(codec="libx265", options={"x265-params": "log-level=none:ref=2"})
    clip = replace(CLIP, pix_fmt="yuv420p10le", light=light)
    assert choose_encoding(clip, MKV, wish).options["x265-params"] == (
        "log-level=none:ref=2:max-cll=500,100"
    )


def test_lossless_stays_lossless() -> None:
    clip = replace(CLIP, pix_fmt="yuv420p10le", light=Light(content=(500, 100)))
    encoding = choose_encoding(clip, MKV, Wish(codec="libx265", lossless=True))
    assert encoding.options["x265-params"].endswith("lossless=1:max-cll=500,100")
    assert encoding.is_lossless


def test_encoder_without_such_tags_is_named() -> None:
    clip = replace(CLIP, pix_fmt="yuv422p10le", light=Light(content=(500, 100)))
    (warning,) = choose_encoding(clip, MOV, Wish(codec="prores_ks")).warnings
    assert "content light are left behind: prores_ks" in warning


def test_high_dynamic_range_in_8_bits_is_refused() -> None:
    clip = replace(CLIP, pix_fmt="yuv420p10le", colours=Colours(9, 16, 9, 1))
    with pytest.raises(UsageError, match="high dynamic range needs 10 bits"):
        choose_encoding(clip, MKV, Wish(pix_fmt="yuv420p"))


def test_pictures_without_it_have_none() -> None:
    frame = av.VideoFrame(64, 48, "yuv420p")
    assert Light.of(frame) == Light()
    assert Light().parameters("libx265") == ("", "")
