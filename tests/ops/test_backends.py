from __future__ import annotations

import pytest
import torch

from deblur_cli.errors import DeviceError, UsageError
from deblur_cli.ops import Choice, resolve_backend, selective_scan
from deblur_cli.ops.backends import BACKENDS, ENVIRONMENT_VARIABLE, operators
from tests.ops.problems import random_scan


@pytest.fixture(autouse=True)
def no_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)


def test_probe_takes_the_compiled_kernels_on_the_processor_and_torch_elsewhere() -> None:
    assert resolve_backend(None, "cpu") == Choice("cpu", "probe")
    assert resolve_backend(None, "cuda") == Choice("torch", "probe")
    assert resolve_backend(None, torch.device("mps")) == Choice("torch", "probe")


def test_argument_comes_before_environment_before_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "torch")
    assert resolve_backend(None, "cpu") == Choice("torch", "environment")
    assert resolve_backend("reference", "cpu") == Choice("reference", "argument")


def test_unknown_name_lists_what_exists_and_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "fastest")
    with pytest.raises(UsageError, match="fastest") as failure:
        resolve_backend(None, "cpu")
    assert ENVIRONMENT_VARIABLE in str(failure.value)
    for name in BACKENDS:
        assert name in str(failure.value)


def test_kernels_of_the_processor_refuse_other_devices() -> None:
    with pytest.raises(DeviceError, match=r"does not run on 'cuda'.*torch, reference"):
        resolve_backend("cpu", "cuda")


@pytest.mark.parametrize("name", BACKENDS)
def test_every_back_end_offers_both_operators(name: str) -> None:
    module = operators(name, torch.device("cpu"))
    assert callable(module.selective_scan)
    assert callable(module.causal_conv1d_silu)


def test_environment_decides_for_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "reference")
    assert random_scan().to(torch.float64).run(None).dtype == torch.float64


def test_compiled_kernels_refuse_float64_and_name_the_reference() -> None:
    with pytest.raises(UsageError, match="reference"):
        random_scan().to(torch.float64).run("cpu")


def test_misfits_are_named() -> None:
    tensors = random_scan(channels=4, states=8, length=10).tensors
    with pytest.raises(UsageError, match=r"B must have shape \(1, 8, 10\)"):
        selective_scan(**{**tensors, "B": tensors["B"][:, :4]})
    with pytest.raises(UsageError, match="z must be floating point"):
        selective_scan(**{**tensors, "z": torch.ones(1, 4, 10, dtype=torch.int64)})
    with pytest.raises(UsageError, match=r"u must be \(B, D, L\)"):
        selective_scan(**{**tensors, "u": tensors["u"][0]})
    with pytest.raises(UsageError, match="at least one value"):
        selective_scan(**{**tensors, "u": tensors["u"][..., :0]})
