from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from skimage import data as photographs
from torch import nn

from deblur_cli.errors import IncomparableError, WeightsError
from deblur_cli.metrics.distribution import INCEPTION, fid, kid, load_inception

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")

RNG = np.random.default_rng(0)
ONE = RNG.normal(0, 1, (60, 12))
OTHER = RNG.normal(0.2, 1.3, (45, 12)) @ RNG.normal(0, 0.5, (12, 12))


def fid_by_matrix_root(a, b):
    covariances = [np.cov(features, rowvar=False) for features in (a, b)]
    apart = a.mean(axis=0) - b.mean(axis=0)
    root = sqrtm(covariances[0] @ covariances[1])
    return apart @ apart + np.trace(covariances[0] + covariances[1] - 2 * root).real


def kid_by_loops(a, b):
    def mean(x, y, same):
        pairs = [
            (np.dot(p, q) / len(p) + 1) ** 3
            for i, p in enumerate(x)
            for j, q in enumerate(y)
            if not (same and i == j)
        ]
        return np.mean(pairs)

    return mean(a, a, True) + mean(b, b, True) - 2 * mean(a, b, False)


def test_fid_equals_the_matrix_root():
    assert fid(ONE, OTHER) == pytest.approx(fid_by_matrix_root(ONE, OTHER), rel=1e-9)


def test_fid_of_shifted_sets_is_the_squared_shift():
    assert fid(ONE + 0.5, ONE) == pytest.approx(12 * 0.25, rel=1e-9)


def test_fid_is_exact_with_fewer_pictures_than_features():
    few = RNG.normal(0, 1, (5, 40))
    assert fid(2 * few, few) == pytest.approx(
        np.sum(few.mean(axis=0) ** 2) + np.trace(np.cov(few.T)), rel=1e-9
    )


def test_kid_equals_its_sums():
    assert kid(ONE, OTHER) == pytest.approx(kid_by_loops(ONE, OTHER), rel=1e-9)


@pytest.mark.parametrize("distance", [fid, kid])
def test_arithmetic_is_float64_whatever_the_features_are(distance):
    a, b = (100 + features.astype(np.float32) for features in (ONE, OTHER))
    assert distance(a, b) == distance(a.astype(np.float64), b.astype(np.float64))


@pytest.mark.parametrize("distance", [fid, kid])
def test_one_picture_is_no_set(distance):
    with pytest.raises(IncomparableError, match="two pictures"):
        distance(ONE[:1], OTHER)


class Corners(nn.Module):
    """In the place of the network: the picture's corners, and the mean of each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers()


class Layers(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        corners = x[:, :, 0:299:298, 0:299:298].flatten(1)
        return torch.cat((corners, x.mean(dim=(2, 3))), dim=1)


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "network.pt"
    torch.jit.script(Corners()).save(str(path))
    return path


def untold(line: str) -> None:
    pytest.fail(f"nothing is to be fetched: {line}")


def bicubic_matrix(length, out=299):
    """What Pillow's bicubic filter (a = -1/2, stretched when it shrinks) multiplies with."""
    scale = length / out
    support = max(scale, 1.0)
    centres = (np.arange(out) + 0.5) * scale
    x = np.abs(np.arange(length) + 0.5 - centres[:, None]) / support
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weights = np.where(x < 1, near, np.where(x < 2, far, 0))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_network_sees_the_whole_picture_resized_without_rounding(network, dtype):
    picture = photographs.astronaut()[:400, :333]
    rows, columns = bicubic_matrix(400), bicubic_matrix(333)
    levels = rows @ picture.astype(np.float64).transpose(2, 0, 1) @ columns.T
    seen = (levels.clip(0, 255) - 128) / 128
    expected = [*seen[:, ::298, ::298].ravel(), *seen.mean(axis=(1, 2))]
    given = picture if dtype == np.uint8 else (picture / 255).astype(np.float32)
    features = load_inception(network, offline=True, tell=untold)(given)
    assert features.dtype == np.float64
    np.testing.assert_allclose(features, expected, atol=2e-5)


def test_grey_pictures_are_refused(network):
    with pytest.raises(IncomparableError, match="not red, green and blue"):
        load_inception(network, offline=True, tell=untold)(photographs.camera())


@pytest.mark.parametrize("content", [b"", b"no network"], ids=["empty", "damaged"])
def test_damaged_networks_are_refused(tmp_path, content):
    path = tmp_path / "network.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="not that Inception network"):
        load_inception(path, offline=True, tell=untold)


def test_other_networks_are_refused(tmp_path):
    path = tmp_path / "network.pt"
    torch.jit.script(nn.Identity()).save(str(path))
    with pytest.raises(WeightsError, match="not that Inception network"):
        load_inception(path, offline=True, tell=untold)


def test_absent_networks_are_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"absent\.pt"):
        load_inception(tmp_path / "absent.pt", offline=True, tell=untold)


def test_what_is_fetched_is_pinned_and_called_a_program():
    assert INCEPTION.sha256 is not None
    assert len(INCEPTION.sha256) == 64
    assert "a program that torch runs" in INCEPTION.content


def test_offline_says_which_file_to_bring(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"inception-2015-12-05\.pt.*offline"):
        load_inception(offline=True, tell=untold)
