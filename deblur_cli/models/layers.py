"""Layers that several restoration networks share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deblur_cli.ops.norm import gpu_kernel_takes, layer_norm


def tokens_of(x: Tensor) -> Tensor:
    """View a feature map `(B,C,H,W)` as tokens `(B,H*W,C)`, row-major; free if channels_last."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def feature_map_of(tokens: Tensor, height: int, width: int) -> Tensor:
    """View tokens `(B,H*W,C)` as a channels_last feature map `(B,C,H,W)`."""
    return tokens.reshape(len(tokens), height, width, -1).permute(0, 3, 1, 2)


class LayerNorm(nn.LayerNorm):
    """Layer norm over the last dimension, float32 inside, in the input's dtype outside.

    Torch's kernel for GPUs wants the weights in the input's dtype and forms its sums in float32 all
    the same, so nothing but the weights is converted: no float32 copy of the input is made.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `(...,C)` over C."""
        if x.dtype == self.weight.dtype or _takes_float32_weights(x):
            return layer_norm(x, self.weight, self.bias, self.eps)
        if torch.is_autocast_enabled(x.device.type):
            return super().forward(x).to(x.dtype)
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return F.layer_norm(x, self.normalized_shape, weight, bias, self.eps)


def _takes_float32_weights(x: Tensor) -> bool:
    """Whether layer norm takes them beside a half-precision `x`: all but torch's for GPUs does."""
    return x.device.type == "cpu" or gpu_kernel_takes(x)


class LayerNorm2d(LayerNorm):
    """Layer norm over the channels of each pixel (NAFNet's LayerNorm2d, eps 1e-6)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `(B,C,H,W)` over C; the result is channels_last."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class UncentredNorm(nn.Module):
    """Restormer's layer norm without a bias: the mean counts in the variance, but stays."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Divide `(...,C)` by its standard deviation over C; float32 inside."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        variance = wide.var(-1, correction=0, keepdim=True)
        return (wide * torch.rsqrt(variance + self.eps) * self.weight).to(x.dtype)


def simple_gate(x: Tensor) -> Tensor:
    """Multiply the first half of the channels by the second: `(B,2C,H,W)` to `(B,C,H,W)`."""
    first, second = x.chunk(2, dim=1)
    return first * second


def project(tokens: Tensor, weight: Tensor) -> Tensor:
    """Multiply every token by a matrix: `(B,L,Cin)` by `(Cout,Cin)` to `(B,L,Cout)`."""
    if not _prefers_onednn(tokens, weight):
        return F.linear(tokens, weight)
    x = tokens.transpose(1, 2).unsqueeze(2)
    return _onednn_pointwise(x, weight[:, :, None, None], None).squeeze(2).transpose(1, 2)


class Pointwise(nn.Conv2d):
    """A 1x1 convolution, `(B,Cin,H,W)` to `(B,Cout,H,W)`."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 1, bias=bias)

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """Compute `scale * (W x + b)`.

        Args:
            x: `(B,Cin,H,W)`.
            scale: `(Cout,)`, folded into the weights: a pass over them instead of all pixels.
        """
        weight, bias = self.weight, self.bias
        if scale is not None:
            weight = weight * scale[:, None, None, None].to(weight.dtype)
            bias = None if bias is None else bias * scale.to(bias.dtype)
        if _prefers_onednn(x, weight):
            return _onednn_pointwise(x, weight, bias)
        if _prefers_matrices(x):
            return _matrix_pointwise(x, weight, bias)
        return F.conv2d(x, weight, bias)


def _prefers_matrices(x: Tensor) -> bool:
    """Whether to step around cuDNN, which adds the bias in a pass of its own; cuBLAS does not."""
    return x.device.type == "cuda"


def _matrix_pointwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The 1x1 convolution as one matrix product over all pixels; the result is channels_last."""
    tokens = tokens_of(x)
    product = F.linear(tokens.flatten(0, 1), weight.flatten(1), bias)
    return feature_map_of(product.reshape(*tokens.shape[:2], -1), *x.shape[-2:])


def _prefers_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether to step around torch's choice for float32 on a CPU with one thread.

    Torch takes MKL's GEMM there, which is slower than oneDNN's 1x1 convolution.
    """
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and not torch.is_autocast_enabled("cpu")
    )


def _onednn_pointwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    result: Tensor = torch.ops.aten.mkldnn_convolution(x, weight, bias, (0, 0), (1, 1), (1, 1), 1)
    return result


class AveragePool(nn.Module):
    """Global average pooling that can become the test-time local converter.

    With `window=None` the mean over all pixels, `(B,C,1,1)`. With a window `(kh,kw)` the stride-1
    box mean around every pixel, `(B,C,H,W)`, unless the window covers the whole map.
    """

    def __init__(self) -> None:
        super().__init__()
        self.window: tuple[int, int] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Pool `(B,C,H,W)`."""
        height, width = x.shape[-2:]
        if self.window is None or (self.window[0] >= height and self.window[1] >= width):
            return x.mean(
                (2, 3), keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32)
            ).to(x.dtype)
        window = min(height, self.window[0]), min(width, self.window[1])
        return _replicate_to(box_mean(x, window), height, width)


def box_mean(x: Tensor, window: tuple[int, int]) -> Tensor:
    """Means over all `window`-sized boxes that lie inside: `(B,C,H,W)` to `(B,C,H-kh+1,W-kw+1)`.

    In float32, or float64 if `x` is: sums of few terms of like size lose nothing on large maps,
    where differences of running sums would.
    """
    sums = x.to(torch.promote_types(x.dtype, torch.float32))
    for dim, size in ((-2, window[0]), (-1, window[1])):
        sums = _window_sums(sums, dim, size)
    return (sums / (window[0] * window[1])).to(x.dtype)


def _window_sums(x: Tensor, dim: int, size: int) -> Tensor:
    """Sums of `size` neighbours, put together from sums of 1, 2, 4, 8 and so on neighbours."""
    length = x.shape[dim] - size + 1
    parts: list[Tensor] = []
    covered, span, sums = 0, 1, x
    while covered < size:
        if size & span:
            parts.append(sums.narrow(dim, covered, length))
            covered += span
        if covered < size:
            rest = sums.shape[dim] - span
            sums = sums.narrow(dim, 0, rest) + sums.narrow(dim, span, rest)
            span *= 2
    return sum(parts[1:], parts[0])


def _replicate_to(x: Tensor, height: int, width: int) -> Tensor:
    missing_rows, missing_columns = height - x.shape[-2], width - x.shape[-1]
    left, top = missing_columns // 2, missing_rows // 2
    return F.pad(x, (left, missing_columns - left, top, missing_rows - top), mode="replicate")
