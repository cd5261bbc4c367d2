"""Networks of spandrel behind the interface of our own."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from deblur_cli.checkpoints.convert import blank_metadata, write_weights
from deblur_cli.errors import UsageError, WeightsError
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.models import RestorationModel, SizeRule, load_model
from tests.models.spandrel_networks import build

SIZES = {
    "uformer": SizeRule(128, square=True),
    "fftformer": SizeRule(32),
    "restormer": SizeRule(8),
    "m3snet": SizeRule(16),
    "compact": SizeRule(1),
}

every_network = pytest.mark.parametrize("name", SIZES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("foreign")


@cache
def saved(folder: Path, name: str) -> Path:
    torch.manual_seed(0)
    state = {f"module.{key}": value for key, value in build(name).state_dict().items()}
    path = folder / f"{name}.pth"
    torch.save({"params": state, "epoch": 3}, path)
    return path


@cache
def loaded(folder: Path, name: str) -> RestorationModel:
    return load_model(saved(folder, name))


@every_network
def test_a_checkpoint_is_recognised_and_restores_as_the_network_itself(
    folder: Path, name: str
) -> None:
    model, image = loaded(folder, name), torch.rand(2, 3, 128, 128)
    described = model.descriptor
    assert (described.name, described.size) == (name, SIZES[name])
    assert not model.training
    network = build(name)
    network.load_state_dict(model.network.get_submodule("model").state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(model(image), network(image).clamp(0, 1))


@pytest.mark.parametrize("name", ["fftformer", "uformer"])
@given(height=st.integers(1, 70), width=st.integers(1, 70))
@settings(max_examples=4, deadline=None)
def test_any_size_comes_back(folder: Path, name: str, height: int, width: int) -> None:
    with torch.inference_mode():
        restored = loaded(folder, name)(torch.rand(1, 3, height, width))
    assert restored.shape == (1, 3, height, width)
    assert restored.dtype == torch.float32


@pytest.mark.parametrize("name", ["fftformer", "uformer", "restormer"])
def test_half_precision_is_mixed_precision(folder: Path, name: str) -> None:
    exact, image = loaded(folder, name), torch.rand(1, 3, 128, 128)
    assert exact.descriptor.half_precision == {torch.bfloat16}
    rounded = load_model(saved(folder, name)).set_precision(torch.bfloat16)
    assert {parameter.dtype for parameter in rounded.parameters()} == {torch.float32}
    with torch.inference_mode():
        restored, expected = rounded(image), exact(image)
    assert restored.dtype == torch.float32
    error = (restored - expected).square().mean().sqrt() / (expected - image).square().mean().sqrt()
    assert 0 < error < 0.05
    memory = exact.descriptor.memory_per_megapixel
    assert memory(torch.bfloat16, torch.device("cpu")) != memory(torch.float32, torch.device("cpu"))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_pictures_are_restored_in_tiles(folder: Path, dtype: str) -> None:
    deblurrer = Deblurrer(
        load_model(saved(folder, "fftformer")), device="cpu", dtype=dtype, tile=96
    )
    picture = np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)
    restoration = deblurrer.restore(picture)
    assert restoration.image.shape == picture.shape
    assert restoration.tiles > 1
    assert restoration.redone == 0


def test_a_dtype_that_spandrel_warns_of_is_refused(folder: Path) -> None:
    model = load_model(saved(folder, "fftformer"))
    with pytest.raises(UsageError, match="fftformer does not run in float16"):
        Deblurrer(model, device="cpu", dtype="float16")


def test_a_local_pooling_is_refused(folder: Path) -> None:
    model = loaded(folder, "compact")
    assert model.set_local_pooling(None) is model
    with pytest.raises(UsageError, match="pooling"):
        model.set_local_pooling(256)


def test_converted_weights_are_recognised_again(folder: Path) -> None:
    model, path = loaded(folder, "fftformer"), folder / "converted.safetensors"
    write_weights(path, model, blank_metadata(model, "float32"))
    again, image = load_model(path), torch.rand(1, 3, 32, 64)
    assert again.descriptor == model.descriptor
    with torch.inference_mode():
        assert torch.equal(again(image), model(image))


@pytest.mark.parametrize(
    ("name", "complaint"), [("compact-2x", "enlarges"), ("compact-grey", "1 channels in")]
)
def test_networks_for_something_else_are_refused(folder: Path, name: str, complaint: str) -> None:
    with pytest.raises(WeightsError, match=complaint) as caught:
        load_model(saved(folder, name))
    assert caught.value.path == saved(folder, name)


def test_parameters_that_do_not_fit_are_named(folder: Path) -> None:
    state = build("fftformer").state_dict()
    state["extra.weight"] = state.pop("output.weight")[:2].clone()
    state["output.weight"] = torch.zeros(3, 8, 5, 5)
    path = folder / "misfit.safetensors"
    save_file(state, path)
    with pytest.raises(WeightsError, match=r"does not fit FFTformer.*extra\.weight"):
        load_model(path)


def test_what_spandrel_does_not_know_either_is_refused(tmp_path: Path) -> None:
    build("compact")
    path = tmp_path / "net.safetensors"
    save_file({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match=r"or to spandrel.*algnet"):
        load_model(path)


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ("raise ModuleNotFoundError('no torchvision')", r"algnet.*deblur-cli\[foreign\]"),
        ("raise RuntimeError('no operator nms')", r"nms.*algnet.*torchvision that belongs"),
    ],
    ids=["absent", "broken"],
)
def test_without_spandrel_the_error_says_what_to_install(
    source: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spandrel.py").write_text(source, "utf-8")
    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "net.safetensors"
    save_file({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match=advice):
        load_model(path)
