from __future__ import annotations

import pytest

from deblur_cli.errors import UsageError
from deblur_cli.video.samples import choose_samples, keeps_depth, samples_of

ENCODERS = ["libx264", "libx265", "libsvtav1", "libvpx-vp9", "prores_ks", "ffv1", "png", "tiff"]


@pytest.mark.parametrize("encoder", [*ENCODERS, "h264_nvenc", "hevc_nvenc", "rawvideo"])
def test_only_what_can_be_painted(encoder: str) -> None:
    takes = samples_of(encoder)
    assert takes
    odd = {"pal8", "monob", "cuda", "rgb555le", "x2rgb10le", "gbrpf32le", "yuvj420p"}
    assert not odd & set(takes)
    assert not any("msb" in name or "f16" in name for name in takes)


@pytest.mark.parametrize("encoder", ["png", "tiff"])
def test_pictures_are_rgb_or_grey(encoder: str) -> None:
    assert not any(name.startswith("yuv") for name in samples_of(encoder))


@pytest.mark.parametrize(
    ("own", "encoder", "chosen"),
    [
        ("yuv420p", "png", "rgb24"),
        ("yuvj420p", "png", "rgb24"),
        ("yuv420p10le", "png", "rgb48be"),
        ("yuva444p12le", "png", "rgba64be"),
        ("gray10le", "tiff", "gray16le"),
        ("pal8", "png", "rgb24"),
        ("yuv420p10le", "hevc_nvenc", "p010le"),
        ("yuv422p10le", "rawvideo", "yuv422p10le"),
    ],
)
def test_nearest_samples_need_no_warning_for_pictures(own: str, encoder: str, chosen: str) -> None:
    nearest, warnings = choose_samples(encoder, own, None)
    assert nearest == chosen
    assert bool(warnings) == (encoder == "hevc_nvenc")


def test_lost_transparency_is_named() -> None:
    _, warnings = choose_samples("libx264", "rgba", None)
    assert "transparency" in warnings[0]


@pytest.mark.parametrize(
    ("encoder", "own", "keeps"),
    [
        ("libvpx-vp9", "yuv420p", True),
        ("libvpx-vp9", "yuv420p10le", False),
        ("libx264", "yuv420p12le", True),
        ("ffv1", "yuv444p16le", True),
    ],
)
def test_depth(encoder: str, own: str, keeps: bool) -> None:
    assert keeps_depth(encoder, own) is keeps


def test_wanted_samples_that_cannot_be_had() -> None:
    with pytest.raises(UsageError, match="png does not write the pixel format 'yuv420p'"):
        choose_samples("png", "rgb24", "yuv420p")
