from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.video.colour import has_alpha, repainted, sample_bits, to_rgb

COEFFICIENTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
FORMATS = ["yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuv420p10le", "yuv444p12le", "gbrp"]


def _rgb_of(yuv: np.ndarray, matrix: int, is_full: bool) -> np.ndarray:
    """ITU-T H.273, equations 38 to 43, of 8-bit samples."""
    red, blue = COEFFICIENTS[matrix]
    green = 1 - red - blue
    y, cb, cr = yuv.astype(float)
    luma = y / 255 if is_full else (y - 16) / 219
    cb, cr = ((c - 128) / (255 if is_full else 224) for c in (cb, cr))
    r = luma + 2 * (1 - red) * cr
    b = luma + 2 * (1 - blue) * cb
    g = (luma - red * r - blue * b) / green
    return np.stack([r, g, b], axis=-1).clip(0, 1) * 255


def _random_frame(pix_fmt: str, seed: int, size: tuple[int, int] = (32, 16)) -> av.VideoFrame:
    """Any samples at all, those that are no valid colour included."""
    rng = np.random.default_rng(seed)
    frame = av.VideoFrame(*size, pix_fmt)
    largest = (1 << sample_bits(pix_fmt)) - 1
    dtype = np.uint8 if largest <= 255 else np.uint16
    for plane in frame.planes:
        samples = np.frombuffer(plane, dtype)
        samples[...] = rng.integers(0, largest + 1, samples.shape)
    return frame


def _copied(frame: av.VideoFrame) -> list[bytes]:
    return [bytes(plane) for plane in frame.planes]


@pytest.mark.parametrize("matrix", COEFFICIENTS)
@pytest.mark.parametrize("colour_range", [1, 2])
def test_rgb_follows_matrix_and_range(matrix: int, colour_range: int) -> None:
    rng = np.random.default_rng(0)
    yuv = rng.integers(60, 180, (3, 16, 16), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(yuv, "yuv444p")
    frame.colorspace, frame.color_range = matrix, colour_range
    expected = _rgb_of(yuv, matrix, is_full=colour_range == 2)
    assert np.abs(to_rgb(frame) - expected).max() <= 1.5


@pytest.mark.parametrize(("height", "matrix"), [(480, 6), (720, 1)])
def test_unstated_matrix_is_that_of_the_time(height: int, matrix: int) -> None:
    yuv = np.empty((3, height, 16), np.uint8)
    yuv[...] = np.array([90, 110, 170])[:, None, None]
    frame = av.VideoFrame.from_ndarray(yuv, "yuv444p")
    expected = _rgb_of(yuv, matrix, is_full=False)
    assert np.abs(to_rgb(frame) - expected).max() <= 1.5


@pytest.mark.parametrize(
    ("pix_fmt", "dtype"), [("yuv420p", np.uint8), ("yuv420p10le", np.uint16), ("gray", np.uint8)]
)
def test_depth_of_rgb(pix_fmt: str, dtype: type) -> None:
    rgb = to_rgb(_random_frame(pix_fmt, 0))
    assert rgb.dtype == dtype
    assert rgb.shape == (16, 32, 3)


@pytest.mark.parametrize("pix_fmt", [*FORMATS, "yuva420p", "yuva444p10le", "nv12", "gray10le"])
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000))
def test_unchanged_picture_leaves_every_sample(pix_fmt: str, seed: int) -> None:
    frame = _random_frame(pix_fmt, seed)
    before = _copied(frame)
    rgb = to_rgb(frame)
    assert _copied(repainted(frame, rgb, rgb.copy(), pix_fmt)) == before


@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv444p10le", "yuva444p10le"])
@pytest.mark.parametrize("matrix", [1, 6])
def test_changed_picture_is_seen(pix_fmt: str, matrix: int) -> None:
    rgb = np.full((16, 32, 3), (120, 90, 60), np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=pix_fmt, dst_colorspace=matrix)
    before = to_rgb(frame)
    after = (before * 1.3).astype(before.dtype)
    seen = to_rgb(repainted(frame, before, after, pix_fmt))
    step = 1 if before.dtype == np.uint8 else 257
    assert np.abs(seen.astype(int) - after).max() <= 2 * step


def test_change_stays_within_the_samples() -> None:
    rgb = np.full((16, 16, 3), 250, np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="gray")
    frame.color_range = 2
    brighter = repainted(frame, np.zeros_like(rgb), np.full_like(rgb, 255), "gray")
    assert set(np.frombuffer(brighter.planes[0], np.uint8)) == {255}


def test_transparency_is_left_alone() -> None:
    frame = _random_frame("yuva420p", 3)
    transparency = bytes(frame.planes[3])
    rgb = to_rgb(frame)
    changed = repainted(frame, rgb, 255 - rgb, "yuva420p")
    assert bytes(changed.planes[3]) == transparency
    assert has_alpha("yuva420p") and not has_alpha("yuv420p")


@pytest.mark.parametrize("pix_fmt", ["rgb24", "rgba", "ya8", "rgb48be", "rgba64be", "gray16be"])
def test_packed_samples_of_any_byte_order(pix_fmt: str) -> None:
    frame = _random_frame(pix_fmt, 1)
    rgb = to_rgb(frame)
    before = _copied(frame)
    same = repainted(frame, rgb, rgb.copy(), pix_fmt)
    assert (same.format.name, _copied(same)) == (pix_fmt, before)
    darker = repainted(frame, rgb, rgb // 2, pix_fmt)
    step = 1 if rgb.dtype == np.uint8 else 257
    assert np.abs(to_rgb(darker).astype(int) - rgb // 2).max() <= 2 * step
    if has_alpha(pix_fmt):
        depth = np.dtype(np.uint8 if rgb.dtype == np.uint8 else ">u2")
        channels = 2 if pix_fmt == "ya8" else 4
        old, new = (
            np.frombuffer(plane, depth)[channels - 1 :: channels]
            for plane in (before[0], _copied(darker)[0])
        )
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize("matrix", [1, 6, 2])
@pytest.mark.parametrize("colour_range", [1, 2])
def test_video_as_rgb_pictures(matrix: int, colour_range: int) -> None:
    frame = _random_frame("yuv444p", 4)
    frame.colorspace, frame.color_range = matrix, colour_range
    rgb = to_rgb(frame)
    painted = repainted(frame, rgb, rgb.copy(), "rgb24")
    assert np.abs(painted.to_ndarray().astype(int) - rgb).max() <= 1


@pytest.mark.parametrize("height", [480, 720])
def test_rgb_pictures_as_video(height: int) -> None:
    rng = np.random.default_rng(5)
    rgb = rng.integers(0, 256, (height, 16, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
    video = repainted(frame, rgb, rgb.copy(), "yuv444p")
    assert np.abs(to_rgb(video).astype(int) - rgb).max() <= 3


def test_samples_of_hardware_encoders() -> None:
    frame = _random_frame("yuv420p10le", 6)
    luma = np.frombuffer(frame.planes[0], np.uint16).copy()
    rgb = to_rgb(frame)
    padded = repainted(frame, rgb, rgb.copy(), "p010le")
    assert padded.format.name == "p010le"
    np.testing.assert_array_equal(np.frombuffer(padded.planes[0], np.uint16) >> 6, luma)
