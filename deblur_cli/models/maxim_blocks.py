"""The blocks of MAXIM: multi-axis gated MLPs, cross gating, and two kinds of channel attention.

Feature maps are `(B,C,H,W)`; inside a block they are `(B,H,W,C)`, a view of a channels_last map.
Spatial mixing has tokens `(n*n,P,C)`: the n*n pixels that are mixed with each other, at P places,
counted over all images of a batch.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deblur_cli.models.layers import AveragePool, LayerNorm, Pointwise
from deblur_cli.models.maxim_config import REDUCTION
from deblur_cli.models.projection import Projection

EPSILON = 1e-6
SLOPE = 0.2
"""Of the leaky ReLU."""


def norm(channels: int) -> LayerNorm:
    """Layer norm over the last dimension."""
    return LayerNorm(channels, eps=EPSILON)


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """A "same" 3x3 convolution."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def pixels_of(x: Tensor) -> Tensor:
    """View `(B,C,H,W)` as `(B,H,W,C)`."""
    return x.permute(0, 2, 3, 1)


def map_of(pixels: Tensor) -> Tensor:
    """View `(B,H,W,C)` as `(B,C,H,W)`."""
    return pixels.permute(0, 3, 1, 2)


def grid_tokens(pixels: Tensor, n: int) -> Tensor:
    """The pixels at the same place in each of n*n cells that cover the image: `(n*n,P,C)`."""
    b, h, w, c = pixels.shape
    cells = pixels.view(b, n, h // n, n, w // n, c)
    return cells.permute(1, 3, 0, 2, 4, 5).reshape(n * n, -1, c)


def block_tokens(pixels: Tensor, n: int) -> Tensor:
    """The pixels of each of the windows of n x n pixels: `(n*n,P,C)`."""
    b, h, w, c = pixels.shape
    windows = pixels.view(b, h // n, n, w // n, n, c)
    return windows.permute(2, 4, 0, 1, 3, 5).reshape(n * n, -1, c)


def join_tokens(grid: Tensor, blocks: Tensor, size: torch.Size, n: int) -> Tensor:
    """Undo `grid_tokens` and `block_tokens`, and put the channels of both together.

    Args:
        grid, blocks: `(n*n,P,C)`.
        size: of the pixels that they were, `(B,H,W,C)`.

    Returns:
        `(B,H,W,2C)`.
    """
    b, h, w, c = size
    pixels = grid.new_empty(b, h, w, 2 * c)
    first = pixels[..., :c].view(b, n, h // n, n, w // n, c)
    first.copy_(grid.view(n, n, b, h // n, w // n, c).permute(2, 0, 3, 1, 4, 5))
    second = pixels[..., c:].view(b, h // n, n, w // n, n, c)
    second.copy_(blocks.view(n, n, b, h // n, w // n, c).permute(2, 3, 0, 4, 1, 5))
    return pixels


class TokenMixing(nn.Linear):
    """A linear map of the n*n pixels that belong together, the same for all places and channels."""

    def __init__(self, n: int) -> None:
        super().__init__(n * n, n * n)

    def forward(self, tokens: Tensor, offset: float = 0.0) -> Tensor:
        """Map `(n*n,P,C)` to the same and add `offset`."""
        bias = (self.bias + offset).to(tokens.dtype)[:, None]
        return torch.addmm(bias, self.weight, tokens.flatten(1)).view_as(tokens)


class GatedMLP(nn.Module):
    """Gate one half of the channels by the other, mixed between pixels (gMLP); residual."""

    def __init__(self, channels: int, n: int) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.in_proj = Projection(channels, 2 * channels)
        self.gate_norm = norm(channels)
        self.gate = TokenMixing(n)
        self.out_proj = Projection(channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `(n*n,P,C)` to the same."""
        u, v = self.in_proj.gelu_halves(self.norm(tokens))
        gate: Tensor = self.gate(self.gate_norm(v), offset=1.0)
        return self.out_proj.plus(u * gate, tokens)


class MultiAxisBlock(nn.Module):
    """Half of the channels mixed over the whole image, half within windows (MAB); residual."""

    def __init__(self, channels: int, n: int) -> None:
        super().__init__()
        self.n = n
        self.norm = norm(channels)
        self.in_proj = Projection(channels, 2 * channels)
        self.grid = GatedMLP(channels, n)
        self.block = GatedMLP(channels, n)
        self.out_proj = Projection(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to the same."""
        pixels = pixels_of(x)
        u, v = self.in_proj.gelu_halves(self.norm(pixels))
        over_grid = self.grid(grid_tokens(u, self.n))
        in_blocks = self.block(block_tokens(v, self.n))
        mixed = join_tokens(over_grid, in_blocks, pixels.shape, self.n)
        return map_of(self.out_proj.plus(mixed, pixels))


class Gate(nn.Module):
    """Weighs one of the feature maps of a cross gating by the other: `(B,H,W,C)` to the same."""

    def __init__(self, channels: int, n: int) -> None:
        super().__init__()
        self.n = n
        self.norm = norm(channels)
        self.in_proj = Projection(channels, 2 * channels)
        self.grid_gate = TokenMixing(n)
        self.block_gate = TokenMixing(n)
        self.out_proj = Projection(2 * channels, channels)

    def forward(self, pixels: Tensor, weighed: Tensor) -> Tensor:
        """Weigh features by pixels of the same shape, of which both halves are mixed.

        One half of their channels is mixed over the whole image and one within windows.
        """
        u, v = self.in_proj.gelu_halves(self.norm(pixels))
        over_grid = self.grid_gate(grid_tokens(u, self.n))
        in_blocks = self.block_gate(block_tokens(v, self.n))
        mixed = join_tokens(over_grid, in_blocks, pixels.shape, self.n)
        return self.out_proj.times(mixed, weighed)


class Up(nn.ConvTranspose2d):
    """Double height and width; each pixel paints its own 2x2 block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 2, stride=2)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map `(B,Cin,H,W)` to `(B,Cout,2H,2W)` in its dtype, which the weight need not have."""
        bias = cast(Tensor, self.bias)
        return F.conv_transpose2d(x, self.weight.to(x.dtype), bias.to(x.dtype), stride=2)


class CrossGating(nn.Module):
    """Two feature maps, each weighed by what the other shows (CGB)."""

    def __init__(self, inputs: int, channels: int, n: int, up_from: int | None = None) -> None:
        super().__init__()
        c = channels
        self.up = nn.Identity() if up_from is None else Up(up_from, c)
        self.proj_x, self.proj_y = Pointwise(inputs, c), Pointwise(c, c)
        self.norm_x, self.norm_y = norm(c), norm(c)
        self.in_x, self.in_y = Projection(c, c), Projection(c, c)
        self.gate_x, self.gate_y = Gate(c, n), Gate(c, n)
        self.out_x, self.out_y = Projection(c, c), Projection(c, c)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Gate both.

        Args:
            x: `(B,Cin,H,W)`.
            y: `(B,C,H,W)`, or `(B,C',H/2,W/2)` if the block doubles its size.

        Returns:
            What became of x and of y, `(B,C,H,W)`; that of y is added to that of x.
        """
        shortcut_x, shortcut_y = pixels_of(self.proj_x(x)), pixels_of(self.proj_y(self.up(y)))
        x = self.in_x.gelu(self.norm_x(shortcut_x))
        y = self.in_y.gelu(self.norm_y(shortcut_y))
        weighed_x, weighed_y = self.gate_y(y, x), self.gate_x(x, y)
        y = self.out_y.plus(weighed_y, shortcut_y)
        x = self.out_x.plus(weighed_x, shortcut_x + y)
        return map_of(x), map_of(y)


class ChannelAttention(nn.Module):
    """Weigh channels by a small network of their means (CA)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = AveragePool()
        self.squeeze = Pointwise(channels, channels // REDUCTION)
        self.excite = Pointwise(channels // REDUCTION, channels)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """Weigh `(B,C,H,W)` and add it to a shortcut of the same shape."""
        weights = torch.sigmoid(self.excite(F.relu(self.squeeze(self.pool(x)))))
        return torch.addcmul(shortcut, x, weights)


class ConvolvedAttention(nn.Module):
    """Two 3x3 convolutions with channel attention (RCAB); residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.conv1 = conv3x3(channels, channels)
        self.conv2 = conv3x3(channels, channels)
        self.ca = ChannelAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to the same."""
        hidden = F.leaky_relu(self.conv1(map_of(self.norm(pixels_of(x)))), SLOPE, inplace=True)
        return cast(Tensor, self.ca(self.conv2(hidden), x))


class ProjectedAttention(nn.Module):
    """Two projections with channel attention (RDCAB); residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.fc1 = Projection(channels, channels)
        self.fc2 = Projection(channels, channels)
        self.ca = ChannelAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to the same."""
        hidden = self.fc1.gelu(self.norm(pixels_of(x)))
        return cast(Tensor, self.ca(map_of(self.fc2(hidden)), x))
