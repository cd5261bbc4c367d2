"""MPRNet: three stages that restore quarters, halves and the whole of a picture, each helping on.

Parameter names and results are those of the authors' release. No convolution has a bias. Features
at three resolutions are lists `[full, half, quarter]`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deblur_cli.models.layers import AveragePool, Pointwise
from deblur_cli.models.local_pooling import set_pool_windows
from deblur_cli.models.mprnet_config import MPRNetConfig
from deblur_cli.models.restoration import Network

ROWS, COLUMNS = 2, 3
"""Dimensions of a feature map `(B,C,H,W)`."""


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """A "same" 3x3 convolution without bias."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def pointwise(inputs: int, outputs: int) -> Pointwise:
    """A 1x1 convolution without bias."""
    return Pointwise(inputs, outputs, bias=False)


def split(x: Tensor, dim: int, parts: int = 2) -> Tensor:
    """Cut every image into equal parts, which become images of the batch: `(parts*B,C,h,w)`."""
    return torch.cat(x.chunk(parts, dim))


def join(x: Tensor, dim: int, parts: int = 2) -> Tensor:
    """Put together what `split` cut."""
    return torch.cat(x.chunk(parts), dim)


class SharedPReLU(nn.PReLU):
    """A PReLU with one slope for all channels, and here for the whole network."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it in the dtype of `x`, which the slope need not have."""
        return F.prelu(x, self.weight.to(x.dtype))


class ChannelAttention(nn.Module):
    """Weigh channels by a small network of their means."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = channels // reduction
        self.pool = AveragePool()
        self.conv_du = nn.Sequential(
            pointwise(channels, hidden), nn.ReLU(), pointwise(hidden, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to `(B,C,H,W)`."""
        return x * cast(Tensor, self.conv_du(self.pool(x)))


class AttentionBlock(nn.Module):
    """Two convolutions with channel attention (CAB), residual."""

    def __init__(self, channels: int, reduction: int, activation: nn.Module) -> None:
        super().__init__()
        self.CA = ChannelAttention(channels, reduction)
        self.body = nn.Sequential(
            conv3x3(channels, channels), activation, conv3x3(channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to `(B,C,H,W)`."""
        return x + cast(Tensor, self.CA(self.body(x)))


@dataclass(frozen=True)
class Blocks:
    """Makes the attention blocks of a network."""

    config: MPRNetConfig
    activation: nn.Module

    def __call__(self, channels: int) -> AttentionBlock:
        """One block."""
        return AttentionBlock(channels, self.config.reduction, self.activation)

    def sequence(self, channels: int, count: int = 2) -> nn.Sequential:
        """Some blocks in a row."""
        return nn.Sequential(*(self(channels) for _ in range(count)))


class ShallowFeatures(nn.Sequential):
    """A convolution and attention blocks on pixels: `(B,3,H,W)` to `(B,C,H,W)`."""

    def __init__(self, blocks: Blocks, count: int) -> None:
        width = blocks.config.width
        super().__init__(conv3x3(3, width), *blocks.sequence(width, count))

    def forward(self, image: Tensor) -> Tensor:
        """Extract features, in the dtype of the weights."""
        weight = cast(nn.Conv2d, self[0]).weight
        x = image.to(weight.dtype, memory_format=torch.channels_last)
        for layer in self:
            x = layer(x)
        return x


def down(inputs: int, outputs: int) -> nn.Sequential:
    """Halve the resolution, under the release's key `down.1`."""
    return nn.Sequential(OrderedDict(down=_resampling(0.5, inputs, outputs)))


def up(inputs: int, outputs: int) -> nn.Sequential:
    """Double the resolution, under the release's key `up.1`."""
    return nn.Sequential(OrderedDict(up=_resampling(2, inputs, outputs)))


def _resampling(factor: float, inputs: int, outputs: int) -> nn.Sequential:
    bilinear = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)
    return nn.Sequential(bilinear, pointwise(inputs, outputs))


class Encoder(nn.Module):
    """Features at three resolutions, fused with those of an earlier stage if asked for."""

    def __init__(self, blocks: Blocks, fuses: bool) -> None:
        super().__init__()
        widths = blocks.config.unet_channels
        for level, channels in enumerate(widths, start=1):
            self.add_module(f"encoder_level{level}", blocks.sequence(channels))
            if fuses:
                self.add_module(f"csff_enc{level}", pointwise(channels, channels))
                self.add_module(f"csff_dec{level}", pointwise(channels, channels))
        self.down12 = down(widths[0], widths[1])
        self.down23 = down(widths[1], widths[2])

    def forward(
        self, x: Tensor, earlier: tuple[list[Tensor], list[Tensor]] | None = None
    ) -> list[Tensor]:
        """Encode `(B,C,H,W)`; `earlier` are the other stage's encoded and decoded features."""
        features: list[Tensor] = []
        for level, go_down in enumerate((nn.Identity(), self.down12, self.down23), start=1):
            x = self.get_submodule(f"encoder_level{level}")(go_down(x))
            if earlier is not None:
                encoded, decoded = (stage[level - 1] for stage in earlier)
                x = x + self.get_submodule(f"csff_enc{level}")(encoded)
                x = x + self.get_submodule(f"csff_dec{level}")(decoded)
            features.append(x)
        return features


class Decoder(nn.Module):
    """From coarse to fine, with attended skips."""

    def __init__(self, blocks: Blocks) -> None:
        super().__init__()
        fine, middle, coarse = blocks.config.unet_channels
        self.decoder_level1 = blocks.sequence(fine)
        self.decoder_level2 = blocks.sequence(middle)
        self.decoder_level3 = blocks.sequence(coarse)
        self.skip_attn1 = blocks(fine)
        self.skip_attn2 = blocks(middle)
        self.up21 = up(middle, fine)
        self.up32 = up(coarse, middle)

    def forward(self, encoded: list[Tensor]) -> list[Tensor]:
        """Decode the features of an encoder into as many of the same shapes."""
        fine, middle, coarse = encoded
        coarse = self.decoder_level3(coarse)
        middle = self.decoder_level2(self.up32(coarse) + self.skip_attn2(middle))
        fine = self.decoder_level1(self.up21(middle) + self.skip_attn1(fine))
        return [fine, middle, coarse]


class SupervisedAttention(nn.Module):
    """Restore an image from features (SAM), and weigh the features by what it shows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = pointwise(channels, channels)
        self.conv2 = pointwise(channels, 3)
        self.conv3 = pointwise(3, channels)

    def forward(self, x: Tensor, blurred: Tensor) -> tuple[Tensor, Tensor]:
        """Map `(B,C,H,W)` to features of this shape and a restored image `(B,3,H,W)`."""
        restored = self.conv2(x) + blurred
        weights = torch.sigmoid(self.conv3(restored.to(x.dtype)))
        return self.conv1(x) * weights + x, restored


class ResidualGroup(nn.Module):
    """Attention blocks and a convolution around which the input is added (ORB)."""

    def __init__(self, blocks: Blocks) -> None:
        super().__init__()
        channels = blocks.config.full_resolution_channels
        attended = blocks.sequence(channels, blocks.config.attention_blocks)
        self.body = nn.Sequential(*attended, conv3x3(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to `(B,C,H,W)`."""
        return x + cast(Tensor, self.body(x))


class FullResolutionNet(nn.Module):
    """The last stage (ORSNet): residual groups that take in the second stage's features."""

    def __init__(self, blocks: Blocks) -> None:
        super().__init__()
        config = blocks.config
        fine, middle, coarse = config.unet_channels
        for index in (1, 2, 3):
            self.add_module(f"orb{index}", ResidualGroup(blocks))
        for kind in ("enc", "dec"):
            self.add_module(f"up_{kind}1", up(middle, fine))
            self.add_module(f"up_{kind}2", nn.Sequential(up(coarse, middle), up(middle, fine)))
            for index in (1, 2, 3):
                projection = pointwise(fine, config.full_resolution_channels)
                self.add_module(f"conv_{kind}{index}", projection)

    def forward(self, x: Tensor, encoded: list[Tensor], decoded: list[Tensor]) -> Tensor:
        """Map `(B,C,H,W)` to `(B,C,H,W)`."""
        for level in range(3):
            x = self.get_submodule(f"orb{level + 1}")(x)
            for kind, features in (("enc", encoded[level]), ("dec", decoded[level])):
                if level > 0:
                    features = self.get_submodule(f"up_{kind}{level}")(features)
                x = x + self.get_submodule(f"conv_{kind}{level + 1}")(features)
        return x


class MPRNet(Network):
    """The bare network, with the release's parameter names and outputs.

    Args:
        config: the layout.
        activation: inside all attention blocks; the release's PReLU if None.
        shallow_blocks: attention blocks on the pixels of each stage.
    """

    size_multiple = 8
    final_output = 0

    def __init__(
        self,
        config: MPRNetConfig,
        activation: nn.Module | None = None,
        shallow_blocks: int = 1,
    ) -> None:
        super().__init__()
        self.config = config
        blocks = Blocks(config, SharedPReLU() if activation is None else activation)
        width, full = config.width, config.full_resolution_channels
        self.shallow_feat1 = ShallowFeatures(blocks, shallow_blocks)
        self.shallow_feat2 = ShallowFeatures(blocks, shallow_blocks)
        self.shallow_feat3 = ShallowFeatures(blocks, shallow_blocks)
        self.stage1_encoder = Encoder(blocks, fuses=False)
        self.stage1_decoder = Decoder(blocks)
        self.stage2_encoder = Encoder(blocks, fuses=True)
        self.stage2_decoder = Decoder(blocks)
        self.stage3_orsnet = FullResolutionNet(blocks)
        self.sam12 = SupervisedAttention(width)
        self.sam23 = SupervisedAttention(width)
        self.concat12 = conv3x3(2 * width, width)
        self.concat23 = conv3x3(2 * width, full)
        self.tail = conv3x3(full, 3)

    def forward(self, image: Tensor, side_outputs: bool = True) -> list[Tensor]:
        """Restore an image in each stage.

        Args:
            image: `(B,3,H,W)`, RGB in [0,1]; H and W are multiples of 8.
            side_outputs: also give the images of the earlier stages (deep supervision).

        Returns:
            Restored images `(B,3,H,W)`, of the last stage first.
        """
        images = self._restore(image, split(image, ROWS), None)
        return images if side_outputs else images[:1]

    def _restore(self, image: Tensor, halves: Tensor, context: Tensor | None) -> list[Tensor]:
        """Restore in three stages.

        Args:
            image: `(B,3,H,W)`.
            halves: its upper and lower halves, `(2B,3,H/2,W)`.
            context: features of the halves to add to the first stage's finest ones.
        """
        quarters = split(halves, COLUMNS)
        encoded = self.stage1_encoder(self.shallow_feat1(quarters))
        encoded = [join(features, COLUMNS) for features in encoded]
        if context is not None:
            encoded[0] = encoded[0] + context
        decoded = self.stage1_decoder(encoded)
        attended, first = self.sam12(decoded[0], halves)

        x = self.concat12(torch.cat((self.shallow_feat2(halves), attended), dim=1))
        encoded = self.stage2_encoder(x, (encoded, decoded))
        encoded = [join(features, ROWS) for features in encoded]
        decoded = self.stage2_decoder(encoded)
        attended, second = self.sam23(decoded[0], image)

        x = self.concat23(torch.cat((self.shallow_feat3(image), attended), dim=1))
        x = self.stage3_orsnet(x, encoded, decoded)
        return [self.tail(x) + image, second, join(first, ROWS)]

    def set_local_pooling(self, train_size: int | None) -> None:
        """Pool over 1.5 times the training patch (the test-time local converter), or globally.

        Args:
            train_size: side of the training patches in pixels (the release's: 256); None pools
                globally, as in the release.
        """
        set_pool_windows(self, train_size)
