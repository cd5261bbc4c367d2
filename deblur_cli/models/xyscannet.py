"""XYScanNet: a U-shaped network that scans feature maps strip by strip, along rows and columns.

Parameter names and results are those of the authors' release.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deblur_cli.errors import UsageError
from deblur_cli.models.layers import LayerNorm, Pointwise, UncentredNorm
from deblur_cli.models.mamba import Mamba
from deblur_cli.models.restoration import Network
from deblur_cli.models.xyscannet_config import LEVELS, XYScanNetConfig

MIDDLE_GREY = 0.5
"""Images are shifted by this: the network sees them in [-0.5,0.5]."""

CACHED_PIXELS = 1 << 13
"""Pixels whose scans fit into a CPU's caches: of a larger map some rows after the others."""


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel, under the release's key `body`."""

    def __init__(self, channels: int, bias: bool) -> None:
        super().__init__()
        self.body = LayerNorm(channels) if bias else UncentredNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `(B,C,H,W)` over C; the result is channels_last."""
        return cast(Tensor, self.body(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


def _depthwise(channels: int, bias: bool) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=bias)


class FeedForward(nn.Module):
    """Gated feed-forward with a depth-wise convolution: `project_out(silu(a) * b)`."""

    def __init__(self, channels: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.project_in = Pointwise(channels, 2 * hidden, bias)
        self.dwconv = _depthwise(2 * hidden, bias)
        self.project_out = Pointwise(hidden, channels, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to `(B,C,H,W)`."""
        a, b = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        return cast(Tensor, self.project_out(F.silu(a) * b))


class CrossScan(nn.Module, ABC):
    """Scan one half of the channels along rows and the other along columns, by the same Mamba.

    Args:
        channels: of input and output.
        inner: of the scans, both halves together.
        bias: of the convolutions.
    """

    def __init__(self, channels: int, inner: int, bias: bool) -> None:
        super().__init__()
        self.proj_in = Pointwise(channels, 2 * inner, bias)
        self.dwconv = _depthwise(2 * inner, bias)
        self.conv_input = Pointwise(inner, inner, bias)
        self.mamba = Mamba(inner // 2)
        self.fuse_out = Pointwise(inner, inner, bias)
        self.proj_out = Pointwise(inner, channels, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to `(B,C,H,W)`."""
        u, gate = self.dwconv(self.proj_in(x)).chunk(2, dim=1)
        fused = self.fuse_out(self._scan(self.conv_input(u)))
        return cast(Tensor, self.proj_out(F.silu(gate) * fused))

    def _scan(self, x: Tensor) -> Tensor:
        half = x.shape[1] // 2
        scanned = torch.empty_like(x)
        self.scan_rows(x[:, :half], into=scanned[:, :half])
        self.scan_rows(x[:, half:].mT, into=scanned[:, half:].mT)
        return scanned

    @abstractmethod
    def scan_rows(self, x: Tensor, into: Tensor) -> None:
        """Scan `(B,C,H,W)`; columns are the rows of the transposed map."""


class IntraScan(CrossScan):
    """Every row by itself, pixel after pixel."""

    def scan_rows(self, x: Tensor, into: Tensor) -> None:
        """Scan W pixels in each of B*H sequences."""
        rows = _rows_at_once(x)
        for first in range(0, x.shape[2], rows):
            pixels = x[:, :, first : first + rows].permute(0, 2, 3, 1)
            scanned: Tensor = self.mamba(pixels.flatten(0, 1).contiguous())
            into[:, :, first : first + rows] = scanned.view(pixels.shape).permute(0, 3, 1, 2)


def _rows_at_once(x: Tensor) -> int:
    """How many rows to scan together: on a CPU, as many as its caches hold."""
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return x.shape[2]
    return max(1, CACHED_PIXELS // (x.shape[0] * x.shape[3]))


class InterScan(CrossScan):
    """One row after the other, each by its mean; the result weighs all pixels of the row."""

    def scan_rows(self, x: Tensor, into: Tensor) -> None:
        """Scan H tokens in each of B sequences, `x * sigmoid(scan(mean over W))`."""
        weights: Tensor = self.mamba(x.mean(3).transpose(1, 2))
        into.copy_(x * torch.sigmoid(weights).transpose(1, 2)[..., None])


class EncoderBlock(nn.Module):
    """Two residual feed-forward layers."""

    def __init__(self, config: XYScanNetConfig, level: int) -> None:
        super().__init__()
        channels, hidden = config.channels(level), config.ffn_channels(level)
        self.norm1_ffn = ChannelNorm(channels, config.norm_bias)
        self.norm2_ffn = ChannelNorm(channels, config.norm_bias)
        self.ffn1 = FeedForward(channels, hidden, config.bias)
        self.ffn2 = FeedForward(channels, hidden, config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to `(B,C,H,W)`."""
        x = x + self.ffn1(self.norm1_ffn(x))
        return x + cast(Tensor, self.ffn2(self.norm2_ffn(x)))


class DecoderBlock(EncoderBlock):
    """Intra-strip scan, feed-forward, inter-strip scan, feed-forward; all residual."""

    def __init__(self, config: XYScanNetConfig, level: int) -> None:
        super().__init__(config, level)
        channels, inner = config.channels(level), config.scan_channels(level)
        self.norm1_ssm = ChannelNorm(channels, config.norm_bias)
        self.norm2_ssm = ChannelNorm(channels, config.norm_bias)
        self.intra = IntraScan(channels, inner, config.bias)
        self.inter = InterScan(channels, inner, config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to `(B,C,H,W)`."""
        x = x + self.intra(self.norm1_ssm(x))
        x = x + self.ffn1(self.norm1_ffn(x))
        x = x + self.inter(self.norm2_ssm(x))
        return x + cast(Tensor, self.ffn2(self.norm2_ffn(x)))


class LevelFusion(nn.Module):
    """Join a level's features with those of the two others, weighed by how much they differ.

    Args:
        channels, first, second: of the level itself and of its neighbours.
        config: whether convolutions have a bias, and over what features are compared.
    """

    def __init__(self, channels: int, first: int, second: int, config: XYScanNetConfig) -> None:
        super().__init__()
        self.conv = Pointwise(channels, channels, config.bias)
        self.conv_n1 = Pointwise(first, channels, config.bias)
        self.conv_n2 = Pointwise(second, channels, config.bias)
        self.fuse_out1 = Pointwise(2 * channels, channels, config.bias)
        self.compared = (1, 2, 3) if config.gate == "image" else (0, 1, 2, 3)

    def forward(self, x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to the same; neighbours of any size are brought to that of `x`."""
        x = self.conv(x)
        first = _resized_projection(self.conv_n1, first, x.shape[-2:])
        second = _resized_projection(self.conv_n2, second, x.shape[-2:])
        weighed = first * self._gate(x, first) + second * self._gate(x, second)
        return cast(Tensor, self.fuse_out1(torch.cat((x, weighed), dim=1)))

    def _gate(self, x: Tensor, neighbour: Tensor) -> Tensor:
        """Sigmoid of the mean Kullback-Leibler divergence, one for each image or for the batch.

        The logistic function of single elements stands for probabilities: `p (log p - log q)` with
        `-log sigmoid(x) = softplus(-x)`.
        """
        precision = torch.promote_types(x.dtype, torch.float32)
        ours, theirs = x.to(precision), neighbour.to(precision)
        divergence = torch.sigmoid(ours) * (F.softplus(-theirs) - F.softplus(-ours))
        return torch.sigmoid(divergence.mean(self.compared, keepdim=True)).to(x.dtype)


def _resized_projection(conv: Pointwise, x: Tensor, size: torch.Size) -> Tensor:
    """Nearest neighbours and a 1x1 convolution, which commute: it runs on the smaller map."""
    if x.shape[-1] > size[-1]:
        return cast(Tensor, conv(F.interpolate(x, size, mode="nearest")))
    return F.interpolate(conv(x), size, mode="nearest")


class Resize(nn.Module):
    """Change the size, then the channels by a 3x3 convolution, under the release's key `body.1`."""

    def __init__(self, resize: nn.Module, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(resize, nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to the other level's size and channels."""
        return cast(Tensor, self.body(x))


def _down(channels: int) -> Resize:
    return Resize(nn.AvgPool2d(2), channels, 2 * channels)  # the mean of four is bilinear here


def _up(channels: int) -> Resize:
    bilinear = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    return Resize(bilinear, channels, channels // 2)


class PatchEmbedding(nn.Module):
    """The first convolution, under the release's key `proj`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,3,H,W)` to `(B,C,H,W)`."""
        return cast(Tensor, self.proj(x.to(self.proj.weight.dtype)))


class XYScanNet(Network):
    """The bare network, with the release's parameter names.

    The release returns `(X + R, R, None)` for X in [-0.5,0.5]; R is `residual(X)` here, and
    `forward` takes and gives images in [0,1], which the shift makes no different.

    Args:
        config: the layout.
    """

    size_multiple = 2 ** (LEVELS - 1)

    def __init__(self, config: XYScanNetConfig) -> None:
        super().__init__()
        self.config = config
        fine, middle, coarse = (config.channels(level) for level in range(LEVELS))
        self.patch_embed = PatchEmbedding(fine)
        self.encoder_level1 = self._blocks(EncoderBlock, 0)
        self.down1_2 = _down(fine)
        self.encoder_level2 = self._blocks(EncoderBlock, 1)
        self.down2_3 = _down(middle)
        self.encoder_level3 = self._blocks(EncoderBlock, 2)
        self.clff_level1 = LevelFusion(fine, middle, coarse, config)
        self.clff_level2 = LevelFusion(middle, fine, coarse, config)
        self.decoder_level3 = self._blocks(DecoderBlock, 2)
        self.up3_2 = _up(coarse)
        self.reduce_chan_level2 = Pointwise(2 * middle, middle, config.bias)
        self.decoder_level2 = self._blocks(DecoderBlock, 1)
        self.up2_1 = _up(middle)
        self.reduce_chan_level1 = Pointwise(2 * fine, fine, config.bias)
        self.decoder_level1 = self._blocks(DecoderBlock, 0)
        self.output = nn.Conv2d(fine, 3, 3, padding=1, bias=config.bias)

    def _blocks(self, kind: type[EncoderBlock], level: int) -> nn.Sequential:
        return nn.Sequential(*(kind(self.config, level) for _ in range(self.config.blocks[level])))

    def forward(self, image: Tensor, side_outputs: bool = True) -> list[Tensor]:
        """Restore an image; there are no coarser scales.

        Args:
            image: `(B,3,H,W)`, RGB in [0,1]; H and W are multiples of 4.
            side_outputs: as in every network; without effect.
        """
        return [image + self.residual(image - MIDDLE_GREY)]

    def residual(self, image: Tensor) -> Tensor:
        """What is to be added to an image in [-0.5,0.5]; `(B,3,H,W)` to the same."""
        x = image.contiguous(memory_format=torch.channels_last)
        fine, middle, x = self._encode(self.patch_embed(x))
        x = self.decoder_level3(x)
        x = self.reduce_chan_level2(torch.cat((self.up3_2(x), middle), dim=1))
        x = self.decoder_level2(x)
        x = self.reduce_chan_level1(torch.cat((self.up2_1(x), fine), dim=1))
        return cast(Tensor, self.output(self.decoder_level1(x)))

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features of the three levels, the upper two joined with those of all others."""
        fine = self.encoder_level1(x)
        middle = self.encoder_level2(self.down1_2(fine))
        coarse = self.encoder_level3(self.down2_3(middle))
        return (
            self.clff_level1(fine, middle, coarse),
            self.clff_level2(middle, fine, coarse),
            coarse,
        )

    def set_local_pooling(self, train_size: int | None) -> None:
        """XYScanNet has no test-time local converter.

        Raises:
            UsageError: one is asked for.
        """
        if train_size is not None:
            raise UsageError("XYScanNet has no local pooling", remedy="leave pooling at 0")
