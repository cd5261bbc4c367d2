from __future__ import annotations

from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import Interpolation
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.video import planar
from deblur_cli.video.planar import Coding, add_difference, to_rgb

ACCURATE = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
MATRICES = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def _smooth(height: int, width: int, seed: int = 0) -> Any:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 5)
    return cv2.normalize(blurred, None, 40, 200, cv2.NORM_MINMAX)  # type: ignore[call-overload]


def _frame(rgb: Any, pix_fmt: str, matrix: int = 1, colour_range: int = 1) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(
        format=pix_fmt,
        interpolation=ACCURATE,
        src_color_range=2,
        dst_colorspace=matrix,
        dst_color_range=colour_range,
    )
    frame.colorspace, frame.color_range = matrix, colour_range
    return frame


def _planes(frame: av.VideoFrame) -> list[Any]:
    dtype = np.uint8 if "p1" not in frame.format.name else np.uint16
    return [
        np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes[:3]
    ]


def _by_swscale(frame: av.VideoFrame, matrix: int) -> Any:
    deep = "p1" in frame.format.name
    return frame.reformat(
        format="rgb48le" if deep else "rgb24",
        interpolation=ACCURATE,
        src_colorspace=matrix,
        dst_color_range=2,
    ).to_ndarray()


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p12le"])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("colour_range", [1, 2])
def test_rgb_is_that_of_swscale(pix_fmt: str, matrix: int, colour_range: int) -> None:
    frame = _frame(_smooth(48, 64), pix_fmt, matrix, colour_range)
    bits = int(pix_fmt.partition("p")[2].removesuffix("le") or 8)
    mine = to_rgb(_planes(frame), Coding(matrix, colour_range == 2, bits))
    theirs = _by_swscale(frame, matrix)
    assert mine.dtype == theirs.dtype
    step = 1 if bits == 8 else 257
    difference = np.abs(mine.astype(int) - theirs)
    assert difference.mean() < 0.6 * step
    assert difference.max() <= 3 * step


@settings(deadline=None, max_examples=30)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    pix_fmt=st.sampled_from(["yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv420p10le"]),
)
def test_any_size_has_its_picture(height: int, width: int, pix_fmt: str) -> None:
    deep = pix_fmt.endswith("le")
    grey = np.full((height, width), 512 if deep else 128, np.uint16 if deep else np.uint8)
    frame = av.VideoFrame(width, height, pix_fmt)
    planes = _planes(frame)
    for plane in planes:
        plane[...] = grey.flat[0]
    coding = Coding(1, True, 10 if deep else 8)
    rgb = to_rgb(planes, coding)
    assert rgb.shape == (height, width, 3)
    add_difference(planes, rgb, rgb + rgb.dtype.type(10 * 257 if deep else 10), coding)
    luma, *chroma = planes
    assert set(luma.flat) == {512 + 40 if deep else 138}
    assert {value for plane in chroma for value in plane.flat} == {grey.flat[0]}


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("full", [False, True])
def test_difference_follows_the_standard(matrix: int, full: bool) -> None:
    """ITU-T H.273, equations 20 to 43, of the difference alone."""
    rng = np.random.default_rng(1)
    before, after = rng.integers(60, 190, (2, 8, 8, 3), dtype=np.uint8)
    planes = [np.full((8, 8), 128, np.uint8) for _ in range(3)]
    add_difference(planes, before, after, Coding(matrix, full, 8))
    red, blue = MATRICES[matrix]
    r, g, b = np.moveaxis(after.astype(float) - before, -1, 0) / 255
    luma = red * r + (1 - red - blue) * g + blue * b
    cb, cr = (b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))
    scales = (255, 255, 255) if full else (219, 224, 224)
    for plane, change, scale in zip(planes, (luma, cb, cr), scales, strict=True):
        expected = (128 + scale * change).clip(0, 255)
        assert np.abs(plane - expected).max() <= 0.55


def test_chroma_gets_the_mean_of_its_pixels() -> None:
    rng = np.random.default_rng(2)
    before, after = rng.integers(80, 170, (2, 6, 10, 3), dtype=np.uint8)
    whole = [np.full((6, 10), 128, np.uint8) for _ in range(3)]
    small = [np.full((6, 10), 128, np.uint8), *(np.full((3, 5), 128, np.uint8) for _ in range(2))]
    for planes in (whole, small):
        add_difference(planes, before, after, Coding(1, True, 8))
    assert (small[0] == whole[0]).all()
    for narrow, wide in zip(small[1:], whole[1:], strict=True):
        means = wide.astype(float).reshape(3, 2, 5, 2).mean(axis=(1, 3))
        assert np.abs(narrow - means).max() <= 1


@pytest.mark.parametrize("height", [63, 64, 65, 130])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv440p", "yuv422p"])
def test_tall_pictures_are_added_band_by_band(
    monkeypatch: pytest.MonkeyPatch, height: int, pix_fmt: str
) -> None:
    rng = np.random.default_rng(3)
    before, after = rng.integers(0, 256, (2, height, 10, 3), dtype=np.uint8)
    results = []
    for band in (64, 1000):
        monkeypatch.setattr(planar, "_BAND", band)
        planes = _planes(av.VideoFrame(10, height, pix_fmt))
        for plane in planes:
            plane[...] = 128
        add_difference(planes, before, after, Coding(1, True, 8))
        results.append(planes)
    for banded, whole in zip(*results, strict=True):
        assert (banded == whole).all()


def test_samples_stay_within_their_bits() -> None:
    black, white = np.zeros((4, 4, 3), np.uint16), np.full((4, 4, 3), 65535, np.uint16)
    planes = [np.full((4, 4), 900, np.uint16), *(np.full((2, 2), 512, np.uint16) for _ in "uv")]
    add_difference(planes, black, white, Coding(1, False, 10))
    assert planes[0].max() == 1023
    add_difference(planes, white, black, Coding(1, False, 10))
    add_difference(planes, white, black, Coding(1, False, 10))
    assert planes[0].max() == 0


@pytest.mark.parametrize(
    ("pix_fmt", "matrix"),
    [("nv12", 1), ("gray", 1), ("gbrp", 1), ("yuv420p", 8), ("yuv420p", 0), ("yuv410p", 1)],
)
def test_other_layouts_and_matrices_are_not_taken(pix_fmt: str, matrix: int) -> None:
    assert Coding.of(pix_fmt, matrix, full=False, bits=8) is None
