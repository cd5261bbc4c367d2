from __future__ import annotations

import ctypes
import json
import mmap
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import pytest
import torch

from deblur_cli.ops import causal_conv1d_silu, selective_scan
from deblur_cli.ops.cpu import compile as compiling
from deblur_cli.ops.cpu import forward, functions
from deblur_cli.ops.layout import token_major
from tests.ops.problems import assert_agrees, random_scan, relative_error

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and mprotect")


@pytest.fixture
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [2, 5], indirect=True)
@pytest.mark.parametrize(
    "sizes",
    [
        {"batch": 3, "channels": 40, "length": 100},
        {"batch": 1, "channels": 100, "length": 70},
        {"batch": 1, "channels": 16, "length": 1000},
        {"batch": 1, "channels": 3, "length": 64},
    ],
    ids=["images", "blocks", "tokens", "one chunk"],
)
def test_any_division_of_the_work_agrees(threads: int, sizes: dict[str, int]) -> None:
    assert_agrees(random_scan(**sizes), "cpu")  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [3], indirect=True)
def test_convolution_over_threads_agrees(threads: int) -> None:
    x, weight, bias = torch.randn(1, 20, 500), torch.randn(20, 4), torch.randn(20)
    found = causal_conv1d_silu(x, weight, bias, backend="cpu")
    truth = causal_conv1d_silu(x.double(), weight, bias, backend="reference")
    assert relative_error(found, truth) < 1e-6


def test_token_major_views_are_read_in_place() -> None:
    projection = torch.randn(2, 30, 100)
    tensors = projection.split([16, 16, 16, 8, 8, 36], -1)[:5]
    for tensor in tensors:
        assert token_major(tensor.transpose(1, 2)).data_ptr() == tensor.data_ptr()
    u, delta, z, B, C = (tensor.transpose(1, 2) for tensor in tensors)
    y = selective_scan(u, delta, -torch.rand(16, 8), B, C, z=z, backend="cpu")
    assert y.transpose(1, 2).is_contiguous()


def test_only_a_gradient_keeps_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []

    def spy(problem: object, keep_checkpoints: bool) -> object:
        kept.append(keep_checkpoints)
        return forward.scan(problem, keep_checkpoints)  # type: ignore[arg-type]

    monkeypatch.setattr(functions, "scan", spy)
    scan = random_scan()
    scan.run("cpu")
    scan.tensors["A"].requires_grad_()
    with torch.no_grad():
        scan.run("cpu")
    with torch.inference_mode():
        scan.run("cpu")
    scan.run("cpu")
    assert kept == [False, False, False, True]


def test_every_source_file_is_part_of_the_cache_key(tmp_path: Path) -> None:
    (tmp_path / "vectors.py").write_text("WIDTH = 16\n")
    (tmp_path / "forward.py").write_text("import vectors\n")
    before = compiling.fingerprint(tmp_path)
    (tmp_path / "vectors.py").write_text("WIDTH = 32\n")
    assert compiling.fingerprint(tmp_path) != before
    cache = forward._scan._cache  # type: ignore[attr-defined]
    own = compiling.fingerprint(Path(compiling.__file__).parent)
    codegen = forward._scan.targetctx.codegen()  # type: ignore[attr-defined]
    assert own in cache._index_key((), codegen)


def test_without_a_writable_folder_kernels_are_compiled_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_folder(_function: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(compiling, "_SourceAwareCache", no_folder)

    @compiling.kernel(numba.float32[::1])
    def double(values):  # type: ignore[no-untyped-def]
        values[0] *= 2

    values = np.ones(1, np.float32)
    double(values)
    assert values[0] == 2


@linux_only
@pytest.mark.parametrize("threads", [2], indirect=True)
def test_a_forked_child_scans_too(threads: int) -> None:
    random_scan(batch=2).run("cpu")
    child = multiprocessing.get_context("fork").Process(
        target=random_scan(batch=2).run, args=("cpu",)
    )
    child.start()
    child.join(60)
    assert child.exitcode == 0


@linux_only
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [3, 16])
def test_nothing_beyond_the_tensors_is_read(channels: int, dtype: torch.dtype) -> None:
    """Each tensor ends where memory that cannot be read begins."""
    u, delta, z, B, C = (
        _before_forbidden_memory(torch.randn(1, 70, columns).to(dtype)).transpose(1, 2)
        for columns in (channels, channels, channels, 5, 5)
    )
    u.requires_grad_()
    y = selective_scan(u, delta, -torch.rand(channels, 5), B, C, z=z, delta_softplus=True)
    x = causal_conv1d_silu(u, torch.randn(channels, 4), torch.randn(channels))
    (y + x).float().sum().backward()
    assert u.grad is not None
    assert u.grad.isfinite().all()


def _before_forbidden_memory(tensor: torch.Tensor) -> torch.Tensor:
    size = tensor.numel() * tensor.element_size()
    pages = -(-size // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    assert libc.mprotect(start + pages * mmap.PAGESIZE, mmap.PAGESIZE, 0) == 0
    place = torch.frombuffer(
        memory, dtype=tensor.dtype, count=tensor.numel(), offset=pages * mmap.PAGESIZE - size
    )
    return place.view(tensor.shape).copy_(tensor)


_OTHER_PROCESSORS = {
    "AVX2": ("haswell", "+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+sse4.2,+popcnt"),
    "SSE2": ("x86-64", "+sse2"),
}

_ERRORS = """
import json
from tests.ops.problems import random_scan, relative_error
from deblur_cli.ops.cpu import forward
scan = random_scan(channels=20, length=100, states=16)
y, gradients = scan.gradients("cpu")
truth, true_gradients = scan.to(__import__("torch").float64).gradients("reference")
errors = {name: relative_error(gradients[name], true_gradients[name]) for name in gradients}
processor = str(forward._scan.targetctx.codegen().magic_tuple())
print(json.dumps({"processor": processor, "y": relative_error(y, truth), **errors}))
"""


@pytest.mark.skipif("x86" not in os.uname().machine, reason="needs an x86 processor")
@pytest.mark.parametrize("processor", _OTHER_PROCESSORS)
def test_older_processors_compute_the_same(processor: str) -> None:
    name, features = _OTHER_PROCESSORS[processor]
    environment = os.environ | {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", _ERRORS],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    errors = json.loads(run.stdout)
    assert name in errors.pop("processor")
    assert errors.pop("y") < 1e-6
    assert max(errors.values()) < 1e-5
