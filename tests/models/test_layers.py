"""Shared layers against independent formulations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from deblur_cli.models import layers
from deblur_cli.models.layers import (
    AveragePool,
    LayerNorm,
    LayerNorm2d,
    Pointwise,
    UncentredNorm,
    box_mean,
    feature_map_of,
    project,
    tokens_of,
)


@given(st.integers(1, 12), st.integers(1, 12), st.data())
@settings(max_examples=40, deadline=None)
def test_box_means_equal_unfolded_means(height: int, width: int, data: st.DataObject) -> None:
    window = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    x = torch.rand(2, 3, height, width, dtype=torch.float64)
    expected = x.unfold(2, window[0], 1).unfold(3, window[1], 1).mean((-2, -1))
    torch.testing.assert_close(box_mean(x, window), expected)


def test_box_means_lose_nothing_on_a_large_map() -> None:
    x = 100 + torch.rand((1, 2, 720, 1280), generator=torch.Generator().manual_seed(0))
    size = 385
    exact = np.stack([uniform_filter(plane, size) for plane in x[0].double().numpy()])
    half = size // 2
    inside = exact[:, half : 720 - half, half : 1280 - half]
    difference = box_mean(x, (size, size))[0].double().numpy() - inside
    assert np.abs(difference).max() < 4e-5  # a few roundings of a float32 near 100


def test_the_pool_is_global_without_a_window_or_with_one_that_covers_the_map() -> None:
    x = torch.rand(2, 3, 8, 10)
    pool = AveragePool()
    torch.testing.assert_close(pool(x), x.mean((2, 3), keepdim=True))
    pool.window = (8, 10)
    torch.testing.assert_close(pool(x), x.mean((2, 3), keepdim=True))


def test_a_local_pool_keeps_the_size_and_replicates_at_the_border() -> None:
    pool = AveragePool()
    pool.window = (3, 100)
    x = torch.rand(1, 2, 8, 10, dtype=torch.float64)
    pooled = pool(x)
    inner = x.unfold(2, 3, 1).mean((-1, 3))
    assert pooled.shape == x.shape
    torch.testing.assert_close(pooled[..., 1:7, 0], inner)
    assert torch.equal(pooled[..., 0, :], pooled[..., 1, :])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layer_norm_is_over_channels(dtype: torch.dtype) -> None:
    norm = LayerNorm2d(6)
    torch.nn.init.normal_(norm.weight)
    x = torch.randn(2, 6, 4, 5).to(dtype)
    mean = x.double().mean(1, keepdim=True)
    variance = x.double().var(1, correction=0, keepdim=True)
    expected = (x.double() - mean) / (variance + 1e-6).sqrt() * norm.weight.double().view(-1, 1, 1)
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    assert norm(x).dtype == dtype
    torch.testing.assert_close(norm(x).double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_layer_norm_as_on_a_gpu_loses_only_the_rounding_of_its_weights(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    norm = LayerNorm(64)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = (100 + torch.randn(500, 64)).to(dtype)
    centred = x.double() - x.double().mean(-1, keepdim=True)
    unit = centred / (x.double().var(-1, correction=0, keepdim=True) + norm.eps).sqrt()
    weight, bias = norm.weight.to(dtype).double(), norm.bias.to(dtype).double()
    monkeypatch.setattr(layers, "_takes_float32_weights", lambda x: False)
    normalised = norm(x)
    assert normalised.dtype == dtype
    step = torch.finfo(dtype).eps
    torch.testing.assert_close(normalised.double(), unit * weight + bias, rtol=step, atol=step)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_uncentred_norm_divides_by_the_deviation_from_the_mean(dtype: torch.dtype) -> None:
    norm = UncentredNorm(6)
    torch.nn.init.normal_(norm.weight)
    x = (3 + torch.randn(4, 5, 6)).to(dtype)
    deviation = (x.double().var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
    expected = x.double() / deviation * norm.weight.double()
    assert norm(x).dtype == dtype
    tolerance = 1e-5 if dtype == torch.float32 else torch.finfo(dtype).eps
    torch.testing.assert_close(norm(x).double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_matrix_product_for_gpus_is_the_1x1_convolution(
    bias: bool, layout: torch.memory_format
) -> None:
    conv = Pointwise(5, 7, bias=bias).to(memory_format=torch.channels_last)
    x = torch.rand(2, 5, 4, 6).contiguous(memory_format=layout)
    product = layers._matrix_pointwise(x, conv.weight, conv.bias)
    torch.testing.assert_close(product, torch.nn.functional.conv2d(x, conv.weight, conv.bias))
    assert product.is_contiguous(memory_format=torch.channels_last)


def test_scale_folded_into_a_pointwise_convolution_scales_its_output() -> None:
    conv, scale, x = Pointwise(4, 6), torch.randn(6), torch.rand(1, 4, 3, 5)
    torch.testing.assert_close(conv(x, scale), conv(x) * scale.view(-1, 1, 1))


def test_tokens_run_row_by_row_and_back() -> None:
    x = torch.arange(24.0).view(1, 2, 3, 4)
    tokens = tokens_of(x)
    assert tokens[0, 5].tolist() == x[0, :, 1, 1].tolist()
    assert torch.equal(feature_map_of(tokens, 3, 4), x)


def test_tokens_of_channels_last_memory_are_a_view() -> None:
    x = torch.rand(2, 8, 3, 5).contiguous(memory_format=torch.channels_last)
    assert tokens_of(x).data_ptr() == x.data_ptr()


@pytest.mark.parametrize("bias", [True, False])
def test_a_pointwise_convolution_is_torchs_1x1_convolution(bias: bool) -> None:
    conv = Pointwise(5, 7, bias=bias)
    x = torch.rand(2, 5, 4, 6, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    output, expected = conv(x), torch.nn.functional.conv2d(y, conv.weight, conv.bias)
    torch.testing.assert_close(output, expected)
    output.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_projection_is_a_linear_map_of_each_token(dtype: torch.dtype) -> None:
    weight, tokens = torch.rand(7, 5, dtype=dtype), torch.rand(2, 9, 5, dtype=dtype)
    for laid_out in (tokens, tokens.transpose(1, 2).contiguous().transpose(1, 2)):
        torch.testing.assert_close(project(laid_out, weight), tokens @ weight.T)
