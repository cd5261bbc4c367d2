"""LPIPS and ST-LPIPS against NumPy, SciPy and torch's modules in float64, with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d, maximum_filter
from skimage import data as photographs
from torch import nn

from deblur_cli.errors import IncomparableError, MissingExtraError, WeightsError
from deblur_cli.metrics import perceptual
from deblur_cli.metrics.perceptual import load_lpips, load_st_lpips

WIDTHS = (64, 192, 384, 256, 256)
TRUTH = photographs.astronaut()[100:163, 180:251]
RESTORED = np.clip(
    TRUTH + np.random.default_rng(0).normal(0, 12, TRUTH.shape), 0, 255
).astype(np.uint8)  # fmt: skip


def convolutions():
    torch.manual_seed(0)
    sizes = ((3, 11), (WIDTHS[0], 5), (WIDTHS[1], 3), (WIDTHS[2], 3), (WIDTHS[3], 3))
    layers = [
        nn.Conv2d(before, after, size, padding=size // 2).double().requires_grad_(False)
        for (before, size), after in zip(sizes, WIDTHS, strict=True)
    ]
    layers[0].padding = (2, 2)
    return layers


CONVOLUTIONS = convolutions()
HEADS = [torch.rand(1, width, 1, 1, dtype=torch.float64) for width in WIDTHS]
HEAD_STATE = {f"lin{layer}.model.1.weight": head for layer, head in enumerate(HEADS)}


def trunk_state(names):
    state = {}
    for name, layer in zip(names, CONVOLUTIONS, strict=True):
        state |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    return state


ALEXNET = trunk_state([f"features.{number}" for number in (0, 3, 6, 8, 10)]) | {
    "classifier.1.weight": torch.zeros(5, 7),
    "classifier.1.bias": torch.zeros(5),
}
SHIFT_TOLERANT = {
    "scaling_layer.shift": torch.zeros(1, 3, 1, 1),
    **trunk_state([f"net.slice{layer}.{layer}" for layer in range(1, 6)]),
    "net.slice1.1.filt": torch.ones(64, 1, 3, 3),
    **HEAD_STATE,
}


@pytest.fixture
def save(tmp_path: Path):
    def saved(state: object) -> Path:
        path = tmp_path / "weights.pth"
        torch.save(state, path)
        return path

    return saved


def standardised(image):
    values = 2 * (image.astype(np.float64) / 255) - 1
    return ((values - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]).transpose(2, 0, 1)


def convolved(planes, layer, stride=1):
    layer.stride = (stride, stride)
    return layer(torch.from_numpy(planes)[None])[0].numpy()


def alexnet(planes):
    pool = nn.MaxPool2d(3, 2)
    for number, layer in enumerate(CONVOLUTIONS):
        if number in (1, 2):
            planes = pool(torch.from_numpy(planes)).numpy()
        planes = np.maximum(convolved(planes, layer, stride=4 if number == 0 else 1), 0)
        yield planes


def blurred_and_halved(planes):
    """SciPy's "mirror" does not repeat the edge, as the network's padding by two does not."""
    wide = np.pad(planes, ((0, 0), (2, 2), (2, 2)), mode="reflect")
    for axis in (1, 2):
        wide = correlate1d(wide, [0.25, 0.5, 0.25], axis)
    return wide[:, 1:-1:2, 1:-1:2]


def shift_tolerant(planes):
    for number, layer in enumerate(CONVOLUTIONS):
        if number in (1, 2):
            pooled = maximum_filter(planes, size=(1, 3, 3))[:, 1:-1, 1:-1]
            planes = blurred_and_halved(pooled)
        planes = convolved(planes, layer)
        planes = np.maximum(blurred_and_halved(planes) if number == 0 else planes, 0)
        yield planes


def distance(trunk, restored, truth):
    total = 0.0
    layers = zip(trunk(standardised(restored)), trunk(standardised(truth)), HEADS, strict=True)
    for seen, expected, head in layers:
        a, b = (x / (np.sqrt((x**2).sum(axis=0)) + 1e-10) for x in (seen, expected))
        total += np.mean(np.tensordot(head.numpy().ravel(), (a - b) ** 2, 1))
    return total


def untold(line: str) -> None:
    pytest.fail(f"nothing is to be fetched: {line}")


def test_lpips_equals_its_formula(save):
    lpips = load_lpips(save(ALEXNET | HEAD_STATE), offline=True, tell=untold)
    expected = distance(alexnet, RESTORED, TRUTH)
    assert lpips(RESTORED, TRUTH) == pytest.approx(expected, rel=1e-9)
    assert lpips(TRUTH, TRUTH) == 0


def test_st_lpips_equals_its_formula(save):
    st_lpips = load_st_lpips(save(SHIFT_TOLERANT))
    expected = distance(shift_tolerant, RESTORED, TRUTH)
    assert st_lpips(RESTORED, TRUTH) == pytest.approx(expected, rel=1e-9)


def test_st_lpips_tolerates_a_shift(save):
    moved, still = photographs.astronaut()[100:163, 181:252], TRUTH
    plain = load_lpips(save(ALEXNET | HEAD_STATE), offline=True, tell=untold)(moved, still)
    assert load_st_lpips(save(SHIFT_TOLERANT))(moved, still) < plain


def test_depth_does_not_matter(save):
    lpips = load_lpips(save(ALEXNET | HEAD_STATE), offline=True, tell=untold)
    floats = [(image / 255).astype(np.float32) for image in (RESTORED, TRUTH)]
    assert lpips(*floats) == pytest.approx(lpips(RESTORED, TRUTH), rel=1e-5)


def install(folder: Path, package: str, file: str, state: object) -> None:
    """A package of that name that cannot be imported, with weights in it."""
    path = folder / package / file
    path.parent.mkdir(parents=True)
    (folder / package / "__init__.py").write_text("raise ImportError('needs torchvision')")
    torch.save(state, path)


def test_heads_and_weights_come_from_packages_that_are_not_imported(save, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path / "site")
    install(tmp_path / "site", "lpips", "weights/v0.1/alex.pth", HEAD_STATE)
    tolerant = "weights/vST0.0/alex_shift_tolerant.pth"
    install(tmp_path / "site", "stlpips_pytorch", tolerant, SHIFT_TOLERANT)
    lpips = load_lpips(save(ALEXNET), offline=True, tell=untold)
    assert lpips(RESTORED, TRUTH) == pytest.approx(distance(alexnet, RESTORED, TRUTH), rel=1e-9)
    expected = distance(shift_tolerant, RESTORED, TRUTH)
    assert load_st_lpips()(RESTORED, TRUTH) == pytest.approx(expected, rel=1e-9)


def test_absent_packages_are_named(save, monkeypatch):
    monkeypatch.setattr(perceptual, "find_spec", lambda _: None)
    for weights in (save(ALEXNET), None):
        with pytest.raises(MissingExtraError, match="eval"):
            load_lpips(weights, offline=False, tell=untold)
    with pytest.raises(WeightsError, match="pip install --no-deps stlpips_pytorch"):
        load_st_lpips()


def test_offline_lpips_says_which_file_to_bring(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    install(tmp_path / "site", "lpips", "weights/v0.1/alex.pth", HEAD_STATE)
    with pytest.raises(WeightsError, match=r"alexnet-owt-7be5be79\.pth.*offline"):
        load_lpips(offline=True, tell=untold)


@pytest.mark.parametrize(
    "state",
    [{}, HEAD_STATE, ALEXNET | HEAD_STATE | {"lin4.model.1.weight": HEADS[0]}, [1, 2]],
    ids=["empty", "heads only", "other heads", "no state"],
)
def test_weights_of_other_networks_are_refused(save, state):
    path = save(state)
    with pytest.raises(WeightsError, match=r"weights\.pth: these are no weights of AlexNet"):
        load_st_lpips(path)


@pytest.mark.parametrize("content", [b"", b"no pickle"], ids=["empty", "damaged"])
def test_damaged_weights_are_refused(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="these weights cannot be read"):
        load_st_lpips(path)


def test_absent_weights_are_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"absent\.pth.*cannot be read"):
        load_lpips(tmp_path / "absent.pth", offline=True, tell=untold)


def test_pictures_smaller_than_the_network_sees_are_refused(save):
    with pytest.raises(IncomparableError, match="31 pixels a side"):
        load_st_lpips(save(SHIFT_TOLERANT))(TRUTH[:30], TRUTH[:30])


def test_grey_pictures_are_refused(save):
    with pytest.raises(IncomparableError, match="not red, green and blue"):
        load_st_lpips(save(SHIFT_TOLERANT))(TRUTH[..., 0], TRUTH[..., 0])
