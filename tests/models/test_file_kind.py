"""What people take for weights is refused by its right name; nothing of it is run."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from deblur_cli.errors import WeightsError
from deblur_cli.models import load_model
from deblur_cli.models.state_dict import read_state_dict

STATE = {"intro.weight": torch.ones(2), "ending.weight": torch.zeros(3)}


def numpy_array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def numpy_archive() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, weights=np.zeros(3))
    return buffer.getvalue()


def torch_script() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), buffer)
    return buffer.getvalue()


def truncated_archive() -> bytes:
    buffer = io.BytesIO()
    torch.save(STATE, buffer)
    return buffer.getvalue()[:-100]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("net.pth", b"", "is empty"),
        ("net.safetensors", b"", "is empty"),
        ("net.pth", b"\n<!DOCTYPE html><html><title>Sign in</title>", "is a web page"),
        ("net.safetensors", b"<HTML><body>404</body></HTML>", "is a web page"),
        ("net.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git-lfs"),
        ("net.onnx", b"\x08\x07\x12\x07pytorch", "ONNX"),
        ("net.npy", numpy_array, "numpy array"),
        ("net.npz", numpy_archive, "archive of numpy arrays"),
        ("net.pt", torch_script, "TorchScript"),
        ("net.h5", b"\x89HDF\r\n\x1a\n", "HDF5"),
        ("net.pth", b"\x7fELF\x02\x01\x01", "is no checkpoint"),
        ("net.pth", truncated_archive, "damaged"),
        ("net.safetensors", save(STATE)[:-3], "safetensors"),
        ("net.pth", save(STATE)[:-3], "safetensors"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_other_files_are_refused_by_name(
    name: str, content: bytes | Callable[[], bytes], complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content())
    with pytest.raises(WeightsError, match=complaint) as caught:
        load_model(path)
    assert caught.value.path == path
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["net.pth", "net.ckpt", "net", "net.safetensors"])
def test_safetensors_are_known_by_their_content(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(save(STATE))
    assert read_state_dict(tmp_path / name).keys() == STATE.keys()


@pytest.mark.parametrize("name", ["net.pth", "net.ckpt", "net.bin"])
def test_pickles_are_known_by_their_content(name: str, tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / name)
    assert read_state_dict(tmp_path / name).keys() == STATE.keys()


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(b"x")

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(WeightsError, match="Permission denied"):
        read_state_dict(path)
