from __future__ import annotations

import pytest
import torch

from deblur_cli.errors import DeviceError, UsageError
from deblur_cli.inference.device import resolve_device, resolve_devices, still_works


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_auto_is_a_gpu_if_there_is_one_else_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")


def test_auto_never_is_mps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cpu")
    assert resolve_device("mps") == torch.device("mps")


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(DeviceError, match="cuda:2"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["", "gpu", "cuda:x", "cpu:-3", "meta"])
def test_what_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(DeviceError):
        resolve_device(name)


@pytest.mark.parametrize("names", ["all", "cuda:0,cuda:1", "cpu,cpu", ","])
def test_several_devices_are_refused_where_one_is_needed(names: str) -> None:
    with pytest.raises(UsageError, match="several"):
        resolve_device(names)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("all", ["cuda:0", "cuda:1"]),
        ("cuda:1,cuda:0", ["cuda:1", "cuda:0"]),
        ("cuda:1, cpu", ["cuda:1", "cpu"]),
        ("cuda:1", ["cuda:1"]),
        ("auto", ["cuda"]),
    ],
)
def test_several_devices(names: str, expected: list[str]) -> None:
    assert [str(device) for device in resolve_devices(names)] == expected


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("names", ["cpu,cpu", "cuda:1,cuda:1", "cuda,cuda:0", "auto,cuda"])
def test_a_device_is_named_once(names: str) -> None:
    with pytest.raises(UsageError, match="twice"):
        resolve_devices(names)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("names", ["cuda:0,cuda:2", "cuda:0,", "cuda:0,gpu"])
def test_every_device_must_be_there(names: str) -> None:
    with pytest.raises(DeviceError):
        resolve_devices(names)


def test_all_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="use --device auto"):
        resolve_devices("all")


def test_a_device_works_if_it_computes() -> None:
    assert still_works("cpu")
    assert not still_works("meta")


def test_full_memory_is_no_broken_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*size: int, device: str) -> torch.Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(torch, "ones", full)
    assert still_works("cpu")
