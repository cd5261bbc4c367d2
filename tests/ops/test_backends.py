from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from deblur_cli.errors import DeviceError, MissingExtraError, UsageError
from deblur_cli.ops import backends, resolve_backend, selective_scan
from deblur_cli.ops.backends import (
    BACKENDS,
    ENVIRONMENT_VARIABLE,
    operators,
    probe,
    slow_backend_warning,
    usable_backends,
)
from tests.ops import fake_packages
from tests.ops.problems import random_scan


@pytest.fixture(autouse=True)
def no_wish(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (ENVIRONMENT_VARIABLE, "TRITON_INTERPRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CC", "cc")
    probe.cache_clear()
    yield
    probe.cache_clear()


@pytest.mark.parametrize(
    ("installed", "device", "expected"),
    [
        (("triton", "mamba_ssm", "numba"), "cuda", "triton"),
        (("mamba_ssm", "numba"), "cuda", "mamba-ssm"),
        (("numba",), "cuda", "torch"),
        (("triton", "mamba_ssm", "numba"), "cpu", "cpu"),
        ((), "cpu", "torch"),
        (("triton", "mamba_ssm", "numba"), "mps", "torch"),
    ],
)
def test_probe_takes_the_first_that_is_made_for_the_device_and_installed(
    installed: tuple[str, ...], device: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_packages.only(monkeypatch, *installed)
    assert resolve_backend(None, device)[:2] == (expected, "probe")
    assert resolve_backend(None, torch.device(device))[:2] == (expected, "probe")


def test_reason_says_what_the_better_ones_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_packages.only(monkeypatch, "numba")
    reason = resolve_backend(None, "cuda").reason
    assert (
        "triton needs the package triton from 3.3 on and a C compiler (it comes with the CUDA"
        in reason
    )
    assert "mamba-ssm needs" in reason
    assert "pip install 'deblur-cli[mamba]'" in reason
    assert "cpu" not in reason
    assert resolve_backend(None, "cpu").reason == "the best for 'cpu'"
    assert resolve_backend(None, "mps").reason == "no compiled back end is made for 'mps'"


def test_triton_that_is_too_old_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_packages.only(monkeypatch, "triton", "numba")
    assert resolve_backend(None, "cuda").name == "triton"
    probe.cache_clear()
    monkeypatch.setattr(backends, "version", lambda _name: "3.2.0")
    assert resolve_backend(None, "cuda").name == "torch"


def test_triton_is_passed_over_where_nothing_can_build_its_launcher(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_packages.only(monkeypatch, "triton", "numba")
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", str(tmp_path))
    choice = resolve_backend(None, "cuda")
    assert choice.name == "torch"
    assert "a C compiler" in choice.reason
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert BACKENDS["triton"].installed


def test_slow_back_ends_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_packages.only(monkeypatch, "numba")
    assert slow_backend_warning(torch.device("cpu")) is None
    for device in ("cuda", "mps"):
        warning = slow_backend_warning(torch.device(device, 0))
        assert warning is not None
        assert f"plain torch on '{device}', which is slow" in warning
    fake_packages.only(monkeypatch, "triton")
    assert slow_backend_warning(torch.device("cuda")) is None
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "reference")
    warning = slow_backend_warning(torch.device("cuda"))
    assert warning is not None
    assert ENVIRONMENT_VARIABLE in warning


def test_listing_imports_nothing() -> None:
    program = (
        "import sys, torch\n"
        "before = set(sys.modules)\n"
        "from deblur_cli.ops.backends import resolve_backend, usable_backends\n"
        "resolve_backend(None, 'cuda')\n"
        "usable_backends(torch.device('cuda'))\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        f"print(*sorted(new & {set(fake_packages.PACKAGES)!r}))\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.stdout.strip() == "", finished.stdout
    assert finished.returncode == 0, finished.stderr


def test_argument_comes_before_environment_before_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "torch")
    assert resolve_backend(None, "cpu")[:2] == ("torch", "environment")
    assert resolve_backend("reference", "cpu")[:2] == ("reference", "argument")


def test_wish_for_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_packages.only(monkeypatch)
    with pytest.raises(MissingExtraError, match=r"mamba-ssm.*deblur-cli\[mamba\]"):
        resolve_backend("mamba-ssm", "cuda")
    with pytest.raises(DeviceError, match=r"package triton.*CUDA builds of torch"):
        resolve_backend("triton", "cuda")


def test_interpreter_lets_triton_run_on_the_cpu_if_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_packages.only(monkeypatch, "triton", "numba")
    with pytest.raises(DeviceError, match="does not run on 'cpu'"):
        resolve_backend("triton", "cpu")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert resolve_backend("triton", "cpu")[:2] == ("triton", "argument")
    assert resolve_backend(None, "cpu").name == "cpu"
    assert usable_backends(torch.device("cpu")) == ["cpu", "torch", "reference"]


def test_broken_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_packages.only(monkeypatch)
    monkeypatch.delitem(sys.modules, "mamba_ssm")
    monkeypatch.delitem(sys.modules, "deblur_cli.ops.mamba_ssm", raising=False)
    (tmp_path / "mamba_ssm.py").write_text("raise OSError('libcudart.so.11.0: not found')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DeviceError, match=r"'mamba-ssm' cannot be loaded: OSError: libcudart"):
        operators("mamba-ssm", torch.device("cuda"))


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


@pytest.mark.parametrize("name", ["cpu", "torch", "reference"])
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
