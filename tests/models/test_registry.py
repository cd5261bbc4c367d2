"""Networks by name and from checkpoints of every shape a trainer may leave them in."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from deblur_cli.errors import UsageError, WeightsError
from deblur_cli.models import RestorationModel, create_model, load_model

TINY = {"width": 8, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1), "state_size": 8}


@pytest.fixture
def model() -> RestorationModel:
    torch.manual_seed(0)
    return create_model("algnet", **TINY).eval()


WRAPPERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"epoch": 7, "state_dict": state, "optimizer": {}},
    "params": lambda state: {"params": state},
    "module": lambda state: {f"module.{key}": value for key, value in state.items()},
    "both": lambda state: {"state_dict": {f"module.{key}": v for key, v in state.items()}},
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_pickled_checkpoints_load(model: RestorationModel, wrapper: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(WRAPPERS[wrapper](model.network.state_dict()), path)
    loaded = load_model(path)
    assert loaded.descriptor == model.descriptor
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(loaded(image), model(image))


def test_safetensors_load_in_float32(model: RestorationModel, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file({key: value.half() for key, value in model.network.state_dict().items()}, path)
    loaded = load_model(path)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert not loaded.training


def test_missing_and_unexpected_entries_are_named(model: RestorationModel, tmp_path: Path) -> None:
    state = model.network.state_dict()
    state["extra.weight"] = state.pop("intro.bias")
    path = tmp_path / "net.pth"
    torch.save(state, path)
    with pytest.raises(
        WeightsError, match=r"net\.pth.*missing intro\.bias.*unexpected extra\.weight"
    ):
        load_model(path)


def test_wrong_shapes_are_named(model: RestorationModel, tmp_path: Path) -> None:
    state = model.network.state_dict() | {"ending.bias": torch.zeros(5)}
    path = tmp_path / "net.pth"
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"misshapen ending\.bias"):
        load_model(path)


@pytest.mark.parametrize("intro", [torch.zeros(()), torch.zeros(7, 3, 3, 3)])
def test_shapes_that_make_no_network_are_refused(
    model: RestorationModel, intro: torch.Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "net.pth"
    torch.save(model.network.state_dict() | {"intro.weight": intro}, path)
    with pytest.raises(WeightsError, match=r"net\.pth.*shapes"):
        load_model(path)


class _Malice:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("was-executed"),)


def test_a_malicious_pickle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.pth"
    torch.save({"state_dict": _Malice()}, path)
    with pytest.raises(WeightsError, match="refused"):
        load_model(path)
    path.write_bytes(pickle.dumps(_Malice()))
    with pytest.raises(WeightsError):
        load_model(path)
    assert not (tmp_path / "was-executed").exists()


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 torn"])
def test_damaged_files_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        load_model(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gone\.pth"):
        load_model(tmp_path / "gone.pth")


def test_weights_of_an_unknown_network_say_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="algnet"):
        load_model(path)


def test_unknown_names_and_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="algnet"):
        create_model("algnat")
    with pytest.raises(UsageError, match="depth"):
        create_model("algnet", depth=3)
