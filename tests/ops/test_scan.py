from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from deblur_cli.ops import chunked, selective_scan
from tests.ops.problems import (
    Scan,
    assert_agrees,
    channel_major,
    random_scan,
    relative_error,
    token_major,
)
from tests.shared import shared_file

FIXTURE_TOLERANCE = 1.3e-6
EVERY_BACKEND = pytest.mark.parametrize("backend", ["cpu", "torch", "reference"])
EVEN_INTERPRETED = pytest.mark.parametrize("backend", ["cpu", "torch", "reference", "triton"])
FAST = pytest.mark.parametrize("backend", ["cpu", "torch"])


def fixture_scan(name: str, prefix: str, names: set[str]) -> tuple[Scan, dict[str, torch.Tensor]]:
    stored = load_file(shared_file("fixtures", f"{name}.safetensors"))
    inputs = {key: stored[prefix + key] for key in names if prefix + key in stored}
    return Scan(inputs, softplus=name != "scan-tiny"), stored


@EVERY_BACKEND
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("gated", [False, True])
def test_values_and_gradients_of_the_official_scan(backend: str, gated: bool, bias: bool) -> None:
    names = {"u", "delta", "A", "B", "C", "D"} | ({"z"} if gated else set())
    names |= {"delta_bias"} if bias else set()
    scan, stored = fixture_scan(f"scan-z{int(gated)}", "", names)
    expected = f"bias{int(bias)}."
    if backend == "reference":
        scan = scan.to(torch.float64)
    tolerance = 1e-6 if backend == "reference" else FIXTURE_TOLERANCE
    leaves = {name: x.requires_grad_() for name, x in scan.tensors.items()}
    y = selective_scan(**leaves, delta_softplus=True, backend=backend)
    assert relative_error(y.detach(), stored[expected + "out"]) < 1e-6
    gradients = torch.autograd.grad((y * stored["w"]).sum(), leaves.values())
    for name, gradient in zip(leaves, gradients, strict=True):
        error = relative_error(gradient, stored[f"{expected}grad.{name}"])
        assert error < tolerance, f"{name}: {error:.1e}"


@EVEN_INTERPRETED
@pytest.mark.parametrize("length", [1, 3])
def test_official_scan_of_very_few_tokens(backend: str, length: int) -> None:
    names = {"u", "delta", "A", "B", "C"}
    scan, stored = fixture_scan("scan-tiny", f"L{length}.", names)
    assert relative_error(scan.run(backend), stored[f"L{length}.out"]) < 1e-6


@FAST
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 40),
    length=st.integers(1, 80),
    states=st.integers(1, 33),
    options=st.frozensets(st.sampled_from(["D", "z", "delta_bias"])),
    softplus=st.booleans(),
    layout=st.sampled_from([token_major, channel_major]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
    seed=st.integers(0, 1000),
)
def test_agrees_with_the_recurrence_in_float64(backend: str, **problem: object) -> None:
    assert_agrees(random_scan(**problem), backend)  # type: ignore[arg-type]


@FAST
@pytest.mark.parametrize(
    "sizes",
    [
        {"channels": 1, "length": 1, "states": 1},
        {"channels": 1, "length": 200, "states": 5},
        {"channels": 8, "length": 2500, "states": 8},
        {"channels": 272, "length": 70, "states": 64},
    ],
    ids=["one of each", "one channel", "many tokens", "many states"],
)
def test_extreme_sizes(backend: str, sizes: dict[str, int]) -> None:
    assert_agrees(random_scan(**sizes), backend)  # type: ignore[arg-type]


@pytest.mark.parametrize("chunks", [1, 2])
def test_torch_carries_states_from_span_to_span(
    chunks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunked, "_chunks", lambda _state: chunks)
    assert_agrees(random_scan(channels=5, length=300), "torch")


@FAST
def test_inputs_of_different_dtypes(backend: str) -> None:
    scan = random_scan(batch=2, channels=20, length=40)
    for name in ("delta", "C", "A"):
        scan.tensors[name] = scan.tensors[name].bfloat16()
    y, gradients = scan.gradients(backend)
    true_y, _ = scan.to(torch.float64).gradients("reference")
    assert y.dtype == torch.float32
    assert relative_error(y, true_y) < 1e-6
    assert {name: gradients[name].dtype for name in ("u", "delta", "A")} == {
        "u": torch.float32,
        "delta": torch.bfloat16,
        "A": torch.bfloat16,
    }


@FAST
def test_one_token_row_for_all_images(backend: str) -> None:
    scan = random_scan(batch=1, channels=16, length=30)
    for name in ("u", "delta", "B", "C", "z"):
        scan.tensors[name] = scan.tensors[name].expand(3, -1, -1)
    assert_agrees(scan, backend)


@EVEN_INTERPRETED
def test_decays_beyond_float32_vanish_and_growth_beyond_is_not_finite(backend: str) -> None:
    scan = random_scan(channels=2, length=3, states=1, options=frozenset(), softplus=False)
    for name in ("u", "B", "C", "delta"):
        scan.tensors[name] = torch.ones_like(scan.tensors[name])
    scan.tensors["A"] = torch.tensor([[-1e6], [200.0]])
    y = scan.run(backend)
    assert torch.equal(y[0, 0], torch.ones(3))
    assert not y[0, 1, 1:].isfinite().any()


@EVERY_BACKEND
@pytest.mark.parametrize("channels", [16, 20])
def test_gradients_where_some_decays_underflow(backend: str, channels: int) -> None:
    scan = random_scan(channels=channels, length=150, states=16)
    scan.tensors["A"] *= torch.logspace(-2, 3, 16)
    assert_agrees(scan, backend)


@EVEN_INTERPRETED
def test_not_a_number_is_not_hidden(backend: str) -> None:
    scan = random_scan(channels=2, length=5, states=4)
    delta = scan.tensors["delta"].clone()
    delta[0, 1, 2] = torch.nan
    scan.tensors["delta"] = delta
    assert scan.run(backend).isnan()[0].any(1).tolist() == [False, True]


@EVEN_INTERPRETED
def test_autocast_around_it_changes_nothing(backend: str) -> None:
    scan = random_scan(channels=16, length=40)
    u = scan.tensors["u"] = scan.tensors["u"].clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        inside = scan.run(backend)
    outside = scan.run(backend)
    assert torch.equal(inside, outside)
    (from_inside,) = torch.autograd.grad(inside.sum(), u)
    (from_outside,) = torch.autograd.grad(outside.sum(), u)
    assert torch.equal(from_inside, from_outside)


@EVEN_INTERPRETED
def test_frozen_inputs_get_no_gradient(backend: str) -> None:
    scan = random_scan()
    u = scan.tensors["u"] = scan.tensors["u"].clone().requires_grad_()
    scan.run(backend).sum().backward()
    assert u.grad is not None
    assert all(x.grad is None for name, x in scan.tensors.items() if name != "u")
