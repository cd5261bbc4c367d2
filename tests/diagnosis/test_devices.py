from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from deblur_cli.diagnosis import devices
from deblur_cli.diagnosis.devices import find_devices
from deblur_cli.errors import WeightsError
from deblur_cli.inference import precision
from deblur_cli.ops.backends import ENVIRONMENT_VARIABLE, probe
from tests.ops import fake_packages

GIB = 1 << 30


@pytest.fixture(autouse=True)
def no_wish(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    probe.cache_clear()
    yield
    probe.cache_clear()


@pytest.fixture
def cpu_without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (devices, precision):
        monkeypatch.setattr(module, "cpu_has_bfloat16", lambda: False)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A GPU that torch describes."""
    properties = SimpleNamespace(name="Fast GPU", major=9, minor=0, total_memory=140 * GIB)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: properties)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (9, 0))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (100 * GIB, 140 * GIB))
    return properties


def test_cpu_is_described(cpu_without_bfloat16: None) -> None:
    cpu, *_ = find_devices("motion")
    assert cpu.name == "cpu"
    assert cpu.hardware
    assert "threads" in cpu.capability
    assert cpu.free_bytes is not None
    assert cpu.free_bytes > 0
    assert (cpu.dtype, cpu.backend, cpu.backend_source) == ("float32", "cpu", "probe")
    assert cpu.dtype_reason == "this CPU does not multiply bfloat16 natively"
    assert not cpu.warning
    assert not cpu.failure


def test_gpu_is_described(
    gpu: SimpleNamespace, cpu_without_bfloat16: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_packages.only(monkeypatch, "triton", "numba")
    _, found = find_devices("motion")
    assert (found.name, found.hardware) == ("cuda:0", "Fast GPU")
    assert found.capability == "compute capability 9.0"
    assert (found.free_bytes, found.total_bytes) == (100 * GIB, 140 * GIB)
    assert found.dtype in ("bfloat16", "float16")
    assert "9.0" in found.dtype_reason
    assert (found.backend, found.warning) == ("triton", "")


def test_gpu_without_a_compiled_back_end_is_slow(
    gpu: SimpleNamespace, cpu_without_bfloat16: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_packages.only(monkeypatch, "numba")
    _, found = find_devices("motion")
    assert found.backend == "torch"
    assert "which is slow" in found.warning
    assert "triton" in found.backend_reason


def test_broken_driver_is_told_and_the_rest_goes_on(
    gpu: SimpleNamespace, cpu_without_bfloat16: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_device: torch.device) -> None:
        raise RuntimeError("CUDA error: unknown error\nmore of it")

    monkeypatch.setattr(torch.cuda, "get_device_properties", fail)
    fake_packages.only(monkeypatch, "triton", "numba")
    cpu, found = find_devices("motion")
    assert not cpu.failure
    assert found.failure == "RuntimeError: CUDA error: unknown error"
    assert found.backend == "triton"


def test_unknown_wish_is_told(cpu_without_bfloat16: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "fastest")
    cpu, *_ = find_devices("motion")
    assert "'fastest'" in cpu.failure
    assert cpu.backend == ""
    assert cpu.dtype == "float32"


def test_without_weights_no_precision_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise WeightsError("none")

    monkeypatch.setattr(devices, "resolve_weights", fail)
    cpu, *_ = find_devices("motion")
    assert (cpu.dtype, cpu.dtype_reason) == ("", "no weights to choose it for")
    assert not cpu.failure


def test_first_core_speaks_for_all(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("proc") / "cpuinfo"
    file.write_text("processor : 0\nflags\t\t: fpu avx2\n\nprocessor : 1\nflags : other\n")
    assert devices._cpuinfo(file) == {"processor": "0", "flags": "fpu avx2"}
    assert devices._cpuinfo(file.with_name("absent")) == {}
