from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deblur_cli.errors import DeviceError, UsageError
from deblur_cli.inference import precision
from deblur_cli.inference.precision import choose_dtype, cpu_has_bfloat16, dtype_name
from tests.inference.fakes import FakeModel

CPU = torch.device("cpu")
IDENTITY = FakeModel(lambda x: x)


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_dtype_that_is_asked_for_is_used(name: str) -> None:
    dtype = choose_dtype(name, CPU, IDENTITY)
    assert dtype_name(dtype) == name


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(UsageError, match="float64"):
        choose_dtype("float64", CPU, IDENTITY)


def test_a_dtype_the_device_cannot_compute_in_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_computes", lambda device, dtype: False)
    with pytest.raises(DeviceError, match="cannot compute in float16"):
        choose_dtype("float16", CPU, IDENTITY)


def test_computing_is_tried_out() -> None:
    assert precision._computes(CPU, torch.float32)
    assert not precision._computes(CPU, torch.float8_e4m3fn)


@pytest.mark.parametrize(
    ("native", "pays", "expected"),
    [
        (True, True, torch.bfloat16),
        (True, False, torch.float32),
        (False, True, torch.float32),
    ],
)
def test_automatic_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch, native: bool, pays: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: native)
    monkeypatch.setattr(precision, "_bfloat16_pays", lambda model: pays)
    assert choose_dtype("auto", CPU, IDENTITY) == expected


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((9, 0), torch.bfloat16), ((7, 5), torch.float16), ((6, 1), torch.float32)],
)
def test_automatic_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_dtype("auto", torch.device("cuda"), IDENTITY) == expected


def in_float32_only() -> FakeModel:
    model = FakeModel(lambda x: x)
    model.half_precision = frozenset()
    return model


def test_a_dtype_the_network_does_not_run_in_is_refused() -> None:
    with pytest.raises(UsageError, match="fake does not run in bfloat16"):
        choose_dtype("bfloat16", CPU, in_float32_only())
    assert choose_dtype("float32", CPU, in_float32_only()) == torch.float32


@pytest.mark.parametrize("capability", [(9, 0), (7, 5)])
def test_automatic_is_what_the_network_runs_in(
    capability: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: True)
    for device in (CPU, torch.device("cuda")):
        assert choose_dtype("auto", device, in_float32_only()) == torch.float32


def test_automatic_elsewhere_is_float32() -> None:
    assert choose_dtype("auto", torch.device("mps"), IDENTITY) == torch.float32


def test_the_faster_precision_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {torch.float32: 1.0, torch.bfloat16: 0.5}
    monkeypatch.setattr(precision, "_seconds", lambda model, x: seconds[model.precision])
    assert precision._bfloat16_pays(IDENTITY)
    seconds[torch.bfloat16] = 0.95
    assert not precision._bfloat16_pays(IDENTITY)
    assert IDENTITY.precision == torch.float32


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2 avx512f", False), ("fpu avx512_bf16 sse", True), ("fphp bf16 asimd", True)],
)
def test_cpu_flags(tmp_path: Path, flags: str, expected: bool) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\nflags : {flags}\n")
    assert cpu_has_bfloat16(cpuinfo) is expected
    assert cpu_has_bfloat16(tmp_path / "absent") is False
