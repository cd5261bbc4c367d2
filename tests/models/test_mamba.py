"""The Mamba module against mamba-ssm's reference results."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from deblur_cli.models.mamba import Mamba
from tests.shared import shared_file


@pytest.mark.parametrize("backend", ["reference", "torch", "cpu"])
@pytest.mark.parametrize("fixture", ["mamba-d8-s16-L2", "mamba-d32-s32-L150"])
def test_values_and_gradients_equal_the_reference(
    fixture: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBLUR_SCAN_BACKEND", backend)
    dtype = torch.float32 if backend == "cpu" else torch.float64
    tolerance = 5e-5 if backend == "cpu" else 1e-6
    tensors = load_file(shared_file("fixtures", f"{fixture}.safetensors"))
    channels, state_size = tensors["in0"].shape[-1], tensors["sd/A_log"].shape[1]
    module = Mamba(channels, state_size)
    module.load_state_dict({k[3:]: v for k, v in tensors.items() if k.startswith("sd/")})
    module.to(dtype)
    tokens = tensors["in0"].to(dtype).requires_grad_()
    output = module(tokens)
    (output * tensors["w"].to(dtype)).sum().backward()

    def close(value: torch.Tensor | None, truth: torch.Tensor) -> bool:
        assert value is not None
        return bool((value - truth).abs().max() <= tolerance * truth.abs().max())

    assert close(output, tensors["out0"])
    assert close(tokens.grad, tensors["grad.in0"])
    for name, parameter in module.named_parameters():
        assert close(parameter.grad, tensors[f"grad/{name}"]), name


def test_initial_steps_lie_in_their_range() -> None:
    module = Mamba(64)
    dt = torch.nn.functional.softplus(module.dt_proj.bias)
    assert dt.min() >= 0.99e-3
    assert dt.max() <= 1.01e-1
    assert module.dt_proj.weight.abs().max() <= module.dt_rank**-0.5
    torch.testing.assert_close(module.A_log.exp()[0], torch.arange(1.0, 17.0))


def test_an_output_scale_is_folded_in() -> None:
    module, tokens, scale = Mamba(8), torch.rand(2, 7, 8), torch.randn(8)
    torch.testing.assert_close(module(tokens, scale), module(tokens) * scale)
