from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.data.apertures import CatEye, aperture_kernel, cat_eye_kernel, softened
from deblur_cli.data.trajectory import Kernel


def moments(kernel: Kernel) -> dict[str, float]:
    """Of a kernel, in float64 about its middle."""
    weights = kernel.astype(np.float64)
    reach = kernel.shape[0] // 2
    x, y = np.meshgrid(*[np.arange(-reach, reach + 1)] * 2)
    parts = {"1": x**0, "x": x, "y": y, "xx": x * x, "xy": x * y, "yy": y * y}
    return {name: float((weights * part).sum()) for name, part in parts.items()}


def lens_share(offset: float) -> float:
    """Area common to two discs of radius 1, as a share of one disc."""
    return float((2 * np.arccos(offset / 2) - offset / 2 * np.sqrt(4 - offset**2)) / np.pi)


@settings(deadline=None)
@given(st.floats(2, 12), st.sampled_from([0, 5, 6, 7, 8]), st.floats(0, 6.3))
def test_an_aperture_has_the_area_and_second_moment_of_its_shape(
    radius: float, blades: int, rotation: float
) -> None:
    kernel = aperture_kernel(radius, blades, rotation).astype(np.float64)
    reach = kernel.shape[0] // 2
    axis = np.arange(-reach, reach + 1)
    x, y = np.meshgrid(axis, axis)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert (kernel * x).sum() == pytest.approx(0, abs=0.03)
    assert (kernel * y).sum() == pytest.approx(0, abs=0.03)
    spread = (kernel * (x**2 + y**2)).sum()
    assert spread == pytest.approx(radius**2 / 2 + 1 / 6, rel=0.08)
    assert 1 / kernel.max() == pytest.approx(np.pi * radius**2, rel=0.05)


def test_a_disk_is_zero_beyond_its_radius_and_even_within() -> None:
    kernel = aperture_kernel(6.0)
    reach = kernel.shape[0] // 2
    axis = np.arange(-reach, reach + 1)
    distance = np.hypot(*np.meshgrid(axis, axis))
    assert np.all(kernel[distance > 7] == 0)
    assert np.ptp(kernel[distance < 5]) < 1e-7


def test_a_small_disk_gives_each_pixel_the_area_it_covers() -> None:
    kernel = aperture_kernel(1.0)
    assert kernel.max() == pytest.approx(1 / np.pi, rel=0.02)


def test_softening_keeps_the_sum_and_adds_the_gaussians_spread() -> None:
    kernel = softened(aperture_kernel(4.0), sigma=1.5)
    reach = kernel.shape[0] // 2
    axis = np.arange(-reach, reach + 1)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    variance = (kernel.sum(axis=0) * axis**2).sum()
    assert variance == pytest.approx(4**2 / 4 + 1 / 12 + 1.5**2, rel=0.03)


@settings(deadline=None)
@given(st.floats(4, 12), st.floats(0, 1.5), st.floats(0, 6.3))
def test_a_cat_eye_has_the_area_and_outline_of_two_discs(
    radius: float, offset: float, angle: float
) -> None:
    direction = np.cos(angle), np.sin(angle)
    kernel = cat_eye_kernel(radius, (offset * direction[0], offset * direction[1]))
    measured = moments(kernel)
    assert measured["1"] == pytest.approx(1, abs=1e-5)
    assert measured["x"] == pytest.approx(0, abs=0.01)
    assert measured["y"] == pytest.approx(0, abs=0.01)
    assert 1 / kernel.max() == pytest.approx(np.pi * radius**2 * lens_share(offset), rel=0.06)
    reach = kernel.shape[0] // 2
    axis = np.arange(-reach, reach + 1)
    x, y = np.meshgrid(axis, axis)
    along = np.abs(x * direction[0] + y * direction[1])
    across = np.abs(y * direction[0] - x * direction[1])
    edge = 1.2
    assert np.all(kernel[along > radius * (1 - offset / 2) + edge] == 0)
    assert np.all(kernel[across > radius * np.sqrt(1 - offset**2 / 4) + edge] == 0)


@settings(deadline=None, max_examples=40)
@given(st.floats(1, 10), st.floats(0, 1.5), st.floats(0, 6.3))
def test_each_pixel_gets_its_share_of_the_cat_eye(
    radius: float, offset: float, angle: float
) -> None:
    """Against points counted in float64, 20x20 to a pixel."""
    kernel = cat_eye_kernel(radius, (offset * np.cos(angle), offset * np.sin(angle)))
    size, points = kernel.shape[0], 20
    axis = (np.arange(size * points) + 0.5) / points - size / 2
    x, y = np.meshgrid(axis, axis)
    shift = 0.5 * offset * radius
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    inside = np.hypot(np.abs(along) + shift, across) < radius
    covered = inside.reshape(size, points, size, points).mean(axis=(1, 3))
    area = np.pi * radius**2 * lens_share(offset)
    assert covered.sum() == pytest.approx(area, rel=0.02)
    assert kernel * area == pytest.approx(covered, abs=0.06)


def test_a_cat_eye_without_offset_is_a_disk() -> None:
    assert np.array_equal(cat_eye_kernel(5.3, (0, 0)), aperture_kernel(5.3))


def test_the_offset_points_from_the_axis_and_has_its_strength_at_the_corner() -> None:
    lens = CatEye(strength=0.8, axis=(100.0, 40.0), corner=50.0)
    assert lens.offset(100, 40) == (0, 0)
    assert lens.offset(130, 80) == pytest.approx((0.48, 0.64))
    assert np.hypot(*lens.offset(60, 10)) == pytest.approx(0.8)
    assert lens.offset(70, 40) == pytest.approx((-0.48, 0))


@pytest.mark.parametrize(("strength", "left"), [(0.3, 0.81), (0.5, 0.69), (1.0, 0.39), (1.2, 0.28)])
def test_documented_shares_of_the_aperture(strength: float, left: float) -> None:
    assert lens_share(strength) == pytest.approx(left, abs=0.005)
    whole, cut = aperture_kernel(9.0), cat_eye_kernel(9.0, (strength, 0))
    assert whole.max() / cut.max() == pytest.approx(left, abs=0.02)


def test_no_softening_changes_nothing() -> None:
    kernel = aperture_kernel(3.0)
    assert softened(kernel, 0) is kernel
