"""The kernels for GPUs, run by Triton's interpreter on small problems, and compiled for GPUs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("triton", reason="triton comes for Linux only")

from deblur_cli.errors import UsageError
from deblur_cli.ops import causal_conv1d_silu, selective_scan
from deblur_cli.ops.triton import conv, pieces, problem
from tests.ops.problems import (
    assert_agrees,
    assert_convolution_agrees,
    channel_major,
    random_scan,
    relative_error,
    token_major,
)
from tests.ops.test_scan import FIXTURE_TOLERANCE, fixture_scan

ROOT = Path(__file__).parents[2]


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    batch=st.integers(1, 2),
    channels=st.integers(1, 40),
    length=st.integers(1, 20),
    states=st.integers(1, 33),
    options=st.frozensets(st.sampled_from(["D", "z", "delta_bias"])),
    softplus=st.booleans(),
    layout=st.sampled_from([token_major, channel_major]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_agrees_with_the_recurrence_in_float64(**sizes: object) -> None:
    assert_agrees(random_scan(**sizes), "triton")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sizes",
    [
        {"channels": 1, "length": 1, "states": 1},
        {"channels": 70, "length": 6, "states": 16},
        {"channels": 9, "length": 5, "states": 130},
    ],
    ids=["one of each", "several blocks of channels", "many states"],
)
def test_extreme_sizes(sizes: dict[str, int]) -> None:
    assert_agrees(random_scan(**sizes), "triton")  # type: ignore[arg-type]


def test_states_are_carried_from_piece_to_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problem, "SHORTEST_PIECE", 5)
    scan = random_scan(batch=2, channels=6, length=47, states=4)
    y = scan.run("triton")
    assert relative_error(y, scan.to(torch.float64).run("reference")) < 1e-6


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(("count", "longest"), [(23, 4), (9, 8)], ids=["deep", "uneven"])
def test_groups_of_pieces_carry_states_like_one_long_chain(
    count: int, longest: int, backward: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = random_scan(batch=2, channels=3, length=1, states=2, options=frozenset()).tensors
    small = problem.Problem.of(**scan, D=None, z=None, delta_bias=None, softplus=False)
    paths = torch.rand(2, count, 3)
    ends = torch.randn(2, count, 2, 3)
    monkeypatch.setattr(pieces, "LONGEST_CHAIN", longest)
    found = pieces.states_between(small, paths, ends, backward)
    state = torch.zeros(2, 2, 3, dtype=torch.float64)
    for index in reversed(range(count)) if backward else range(count):
        assert relative_error(found[:, index], state) < 1e-6
        decay = torch.exp2(small.decay.double() * paths[:, index, None].double())
        state = decay * state + ends[:, index]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("gated", [False, True])
def test_first_tokens_of_the_official_scan(gated: bool, bias: bool) -> None:
    names = {"u", "delta", "A", "B", "C", "D"} | ({"z"} if gated else set())
    scan, stored = fixture_scan(
        f"scan-z{int(gated)}", "", names | ({"delta_bias"} if bias else set())
    )
    for name in scan.tensors.keys() & {"u", "delta", "B", "C", "z"}:
        scan.tensors[name] = scan.tensors[name][..., :40]
    expected = stored[f"bias{int(bias)}.out"]
    assert relative_error(scan.run("triton"), expected[..., :40]) < 1e-6


def test_gradients_of_first_tokens_of_the_official_scan() -> None:
    """In five pieces; `test_scan` holds the reference to the official gradients of all tokens."""
    names = {"u", "delta", "A", "B", "C", "D", "z", "delta_bias"}
    scan, stored = fixture_scan("scan-z1", "", names)
    first = {name: x[:1, :, :70] if x.dim() == 3 else x for name, x in scan.tensors.items()}
    y, found = _gradients(first, stored["w"][:1, :, :70], "triton")
    exact = {name: x.double() for name, x in first.items()}
    _, truth = _gradients(exact, stored["w"][:1, :, :70].double(), "reference")
    assert relative_error(y, stored["bias1.out"][:1, :, :70]) < 1e-6
    for name, gradient in found.items():
        error = relative_error(gradient, truth[name])
        assert error < FIXTURE_TOLERANCE, f"{name}: {error:.1e}"


def _gradients(
    tensors: dict[str, torch.Tensor], weights: torch.Tensor, backend: str
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    leaves = {name: x.detach().requires_grad_() for name, x in tensors.items()}
    y = selective_scan(**leaves, delta_softplus=True, backend=backend)
    gradients = torch.autograd.grad((y * weights).sum(), leaves.values())
    return y.detach(), dict(zip(leaves, gradients, strict=True))


def test_gradients_where_some_decays_underflow() -> None:
    scan = random_scan(channels=8, length=20, states=16)
    scan.tensors["A"] *= torch.logspace(-2, 3, 16)
    assert_agrees(scan, "triton")


def test_inputs_of_different_dtypes() -> None:
    scan = random_scan(batch=2, channels=5, length=9)
    for name in ("delta", "C", "A"):
        scan.tensors[name] = scan.tensors[name].bfloat16()
    y, gradients = scan.gradients("triton")
    true_y, _ = scan.to(torch.float64).gradients("reference")
    assert y.dtype == torch.float32
    assert relative_error(y, true_y) < 1e-6
    assert {name: gradient.dtype for name, gradient in gradients.items()} == {
        name: tensor.dtype for name, tensor in scan.tensors.items()
    }


def test_one_token_row_for_all_images() -> None:
    scan = random_scan(batch=1, channels=7, length=9)
    for name in ("u", "delta", "B", "C", "z"):
        scan.tensors[name] = scan.tensors[name].expand(3, -1, -1)
    assert_agrees(scan, "triton")


def test_token_major_output_and_no_copy_of_token_major_input() -> None:
    projection = torch.randn(2, 6, 100)
    u, delta, z, B, C, _ = (
        tensor.transpose(1, 2) for tensor in projection.split([16, 16, 16, 8, 8, 36], -1)
    )
    made = problem.Problem.of(u, delta, -torch.rand(16, 8), B, C, None, z, None, True)
    assert made.u.data_ptr() == u.data_ptr()
    assert made.C.data_ptr() == C.data_ptr()
    y = selective_scan(u, delta, -torch.rand(16, 8), B, C, z=z, backend="triton")
    assert y.transpose(1, 2).is_contiguous()


def test_float64_is_refused() -> None:
    with pytest.raises(UsageError, match="'triton' computes in float32"):
        random_scan(length=2).to(torch.float64).run("triton")


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    batch=st.integers(1, 2),
    channels=st.integers(1, 70),
    length=st.integers(1, 40),
    taps=st.integers(1, 9) | st.just(4),
    layout=st.sampled_from([token_major, channel_major]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_convolution_agrees_with_float64(**sizes: object) -> None:
    assert_convolution_agrees("triton", **sizes)  # type: ignore[arg-type]


def test_gradient_of_the_convolution_adds_up_several_programs() -> None:
    length = 3 * conv.TOKENS * conv.TILES - 5
    x = torch.randn(1, 2, length)
    leaves = [x, torch.randn(2, 4), torch.randn(2)]
    found, truth = (
        torch.autograd.grad(causal_conv1d_silu(*inputs, backend=backend).sum(), inputs)
        for inputs, backend in (
            ([v.clone().requires_grad_() for v in leaves], "triton"),
            ([v.double().requires_grad_() for v in leaves], "reference"),
        )
    )
    for gradient, expected in zip(found, truth, strict=True):
        assert relative_error(gradient, expected) < 1e-5


@pytest.mark.parametrize("capability", [80, 90])
def test_every_kernel_compiles_for_real_gpus(capability: int) -> None:
    """The interpreter accepts more than the compiler does; the compiler needs no GPU."""
    environment = os.environ | {"TRITON_INTERPRET": "0"}
    run = subprocess.run(
        [sys.executable, "-m", "tests.ops.compile_kernels", str(capability)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout).keys() == {
        "_find_ends",
        "_find_outputs",
        "find_adjoint_ends",
        "find_gradients",
        "_find_group_ends",
        "_find_starts",
        "_convolve",
        "_differentiate_silu",
        "_spread",
        "_normalise",
        "_differentiate",
    }
