from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.errors import UsageError
from deblur_cli.ops import causal_conv1d_silu, hub_kernel, resolve_backend
from deblur_cli.ops.backends import BACKENDS, operators
from tests.ops import fake_packages
from tests.ops.problems import (
    GRADIENT_TOLERANCE,
    VALUE_TOLERANCE,
    assert_agrees,
    channel_major,
    random_scan,
    relative_error,
    token_major,
)

NAME = "mamba-ssm"
PROBLEMS: dict[str, Any] = {
    "batch": st.integers(1, 3),
    "channels": st.integers(1, 20),
    "length": st.integers(1, 40),
    "states": st.integers(1, 20),
    "options": st.frozensets(st.sampled_from(["D", "z", "delta_bias"])),
    "softplus": st.booleans(),
    "layout": st.sampled_from([token_major, channel_major]),
    "seed": st.integers(0, 1000),
}


@pytest.fixture
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the adapter be given CPU tensors, as its stand-ins can take them."""
    backend = replace(BACKENDS[NAME], device_types=frozenset({"cpu", "cuda"}))
    monkeypatch.setitem(BACKENDS, NAME, backend)


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch, on_the_cpu: None) -> list[str]:
    return fake_packages.install_mamba(monkeypatch)


@pytest.fixture
def convolutions(monkeypatch: pytest.MonkeyPatch, scans: list[str]) -> list[str]:
    return fake_packages.install_convolution(monkeypatch)


def test_stand_in_refuses_what_the_extension_refuses() -> None:
    arguments = random_scan(channels=8, length=16).tensors
    with pytest.raises(AssertionError):
        fake_packages.selective_scan_fn(**arguments)
    rows = torch.zeros(1, 8, 21)[..., 1:17]
    assert rows.stride(-1) == 1
    assert not fake_packages.readable_in_vectors(rows)


def test_values_and_gradients_agree_with_float64(scans: list[str]) -> None:
    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(**PROBLEMS)
    def check(**problem: Any) -> None:
        calls = len(scans)
        assert_agrees(random_scan(**problem), NAME)
        assert len(scans) == calls + 1

    check()


def test_half_precision_agrees_with_float32_on_the_same_numbers(scans: list[str]) -> None:
    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(dtype=st.sampled_from([torch.bfloat16, torch.float16]), **PROBLEMS)
    def check(dtype: torch.dtype, **problem: Any) -> None:
        scan = random_scan(dtype=dtype, **problem)
        y, gradients = scan.gradients(NAME)
        true_y, true_gradients = scan.gradients("reference")
        assert y.dtype == dtype
        assert relative_error(y, true_y) < VALUE_TOLERANCE[dtype]
        for name, gradient in gradients.items():
            assert gradient.dtype == scan.tensors[name].dtype
            assert relative_error(gradient, true_gradients[name]) < GRADIENT_TOLERANCE[dtype], name

    check()
    assert scans


def test_inputs_of_different_dtypes_meet_in_one_that_holds_them(scans: list[str]) -> None:
    scan = random_scan(batch=2, channels=20, length=40)
    for name, dtype in {
        "u": torch.float16,
        "delta": torch.bfloat16,
        "z": torch.bfloat16,
        "A": torch.bfloat16,
        "delta_bias": torch.bfloat16,
    }.items():
        scan.tensors[name] = scan.tensors[name].to(dtype)
    y, gradients = scan.gradients(NAME)
    true_y, true_gradients = scan.to(torch.float64).gradients("reference")
    assert y.dtype == torch.float16
    assert relative_error(y, true_y) < VALUE_TOLERANCE[torch.float16]
    for name, gradient in gradients.items():
        dtype = scan.tensors[name].dtype
        assert gradient.dtype == dtype
        tolerance = max(GRADIENT_TOLERANCE[dtype], GRADIENT_TOLERANCE[torch.float16])
        assert relative_error(gradient, true_gradients[name]) < tolerance


def test_rows_that_start_anywhere_are_moved(scans: list[str]) -> None:
    scan = random_scan(channels=6, length=32, layout=channel_major)
    for start, name in enumerate(("u", "delta", "B", "C")):
        wide = torch.zeros(*scan.tensors[name].shape[:2], 39)
        wide[..., start : start + 32] = scan.tensors[name]
        scan.tensors[name] = wide[..., start : start + 32]
    flat = torch.zeros(1 + scan.tensors["z"].numel())[1:]
    scan.tensors["z"] = flat.copy_(scan.tensors["z"].flatten()).view_as(scan.tensors["z"])
    scan.tensors["D"] = torch.ones(1).expand(6)
    assert_agrees(scan, NAME)
    assert scans


def test_aligned_rows_of_one_dtype_are_not_copied(
    monkeypatch: pytest.MonkeyPatch, scans: list[str]
) -> None:
    scan = random_scan(channels=8, length=32, layout=channel_major)
    operators(NAME, torch.device("cpu"))
    given_tensors: list[torch.Tensor] = []
    monkeypatch.setattr(
        "deblur_cli.ops.mamba_ssm._scan", lambda u, *rest, **named: given_tensors.append(u) or u
    )
    scan.run(NAME)
    assert given_tensors[0].data_ptr() == scan.tensors["u"].data_ptr()


def test_limits_are_named(monkeypatch: pytest.MonkeyPatch, scans: list[str]) -> None:
    with pytest.raises(UsageError, match="at most 256 states, not 257"):
        random_scan(channels=1, length=1, states=257).run(NAME)
    with pytest.raises(UsageError, match="float64"):
        random_scan().to(torch.float64).run(NAME)
    monkeypatch.setattr("deblur_cli.ops.mamba_ssm.MOST_ELEMENTS", 159)
    with pytest.raises(UsageError, match="cannot address 160 elements"):
        random_scan(channels=16, length=10).run(NAME)
    assert not scans


@pytest.mark.parametrize("installed", [True, False])
def test_convolution_agrees_with_float64(
    installed: bool, scans: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_packages.install_convolution(monkeypatch) if installed else []

    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(
        batch=st.integers(1, 3),
        channels=st.integers(1, 20),
        length=st.integers(1, 40),
        taps=st.integers(1, 6),
        layout=st.sampled_from([token_major, channel_major]),
        dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
    )
    def check(
        batch: int, channels: int, length: int, taps: int, layout: object, dtype: torch.dtype
    ) -> None:
        calls.clear()
        generator = torch.Generator().manual_seed(length)
        make = token_major if layout is token_major else channel_major
        inputs = (
            make(batch, channels, length, generator).to(dtype),
            torch.randn(taps, channels, generator=generator).t().to(dtype),
            torch.randn(1, generator=generator).expand(channels),
        )
        found = _convolved(inputs, NAME)
        truth = _convolved(tuple(x.double() for x in inputs), "reference")
        assert bool(calls) == (installed and taps in (2, 3, 4))
        assert found[0].dtype == dtype
        assert relative_error(found[0], truth[0]) < VALUE_TOLERANCE[dtype]
        for gradient, true_gradient, tensor in zip(found[1:], truth[1:], inputs, strict=True):
            assert gradient.dtype == tensor.dtype
            assert relative_error(gradient, true_gradient) < GRADIENT_TOLERANCE[dtype]

    check()


def test_convolution_refuses_float64(convolutions: list[str]) -> None:
    x = torch.ones(1, 2, 3, dtype=torch.float64)
    with pytest.raises(UsageError, match="float64"):
        causal_conv1d_silu(x, torch.ones(2, 4), torch.ones(2), backend=NAME)


@pytest.fixture
def kernels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, on_the_cpu: None
) -> list[dict[str, Any]]:
    """The package `kernels` without mamba_ssm; returns how it will be asked for the kernel."""
    fake_packages.only(monkeypatch)
    monkeypatch.setenv("KERNELS_CACHE", str(tmp_path))
    asked: list[dict[str, Any]] = []

    def install_kernel(repository: str, **options: Any) -> Path:
        asked.append({"repository": repository, **options})
        return tmp_path / "variant"

    class Kernel:
        selective_scan_fn = staticmethod(fake_packages.selective_scan_fn)

    fake_packages.install(
        monkeypatch,
        "kernels",
        install_kernel=install_kernel,
        get_local_kernel=lambda path: {tmp_path / "variant": Kernel}[path],
    )
    return asked


def test_kernel_of_the_hub_is_taken_from_the_cache_alone(
    kernels: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert not BACKENDS[NAME].installed
    reference = tmp_path / "kernels--kernels-community--mamba-ssm" / "refs" / "v1"
    reference.parent.mkdir(parents=True)
    reference.write_text("a" * 40)
    assert BACKENDS[NAME].installed
    assert resolve_backend(None, "cuda").name == NAME
    assert_agrees(random_scan(), NAME)
    assert kernels == [
        {"repository": hub_kernel.REPOSITORY, "version": 1, "local_files_only": True}
    ]


def test_installed_package_comes_before_the_kernel_of_the_hub(
    kernels: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_packages.install_mamba(monkeypatch)
    assert_agrees(random_scan(), NAME)
    assert not kernels


def _convolved(inputs: tuple[torch.Tensor, ...], backend: str) -> tuple[torch.Tensor, ...]:
    x, weight, bias = (tensor.detach().requires_grad_() for tensor in inputs)
    y = causal_conv1d_silu(x, weight, bias, backend=backend)
    factors = torch.randn(y.shape, generator=torch.Generator().manual_seed(2))
    return (y.detach(), *torch.autograd.grad((y.double() * factors).sum(), (x, weight, bias)))
