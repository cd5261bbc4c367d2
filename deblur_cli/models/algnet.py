"""ALGNet: a U-shaped network whose blocks join a global (Mamba) and a local (attention) branch.

Parameter names and results are those of the authors' release; `ALGNetConfig` also reaches the
paper's variants and the small layouts that train and run on a CPU.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deblur_cli.models.algnet_config import ALGNetConfig
from deblur_cli.models.layers import (
    AveragePool,
    LayerNorm,
    LayerNorm2d,
    Pointwise,
    feature_map_of,
    simple_gate,
    tokens_of,
)
from deblur_cli.models.mamba import Mamba
from deblur_cli.models.restoration import Network


class GlobalBranch(nn.Module):
    """Layer norm, then Mamba over the pixels in row-major order (eq. 9); no residual."""

    def __init__(self, channels: int, state_size: int) -> None:
        super().__init__()
        self.norm = LayerNorm(channels)
        self.mamba = Mamba(channels, state_size)

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """Map `(B,C,H,W)` to `(B,C,H,W)`, output channels scaled by `scale` `(C,)`."""
        tokens: Tensor = self.mamba(self.norm(tokens_of(x)), scale)
        return feature_map_of(tokens, *x.shape[-2:])


class LocalBranch(nn.Module):
    """Channel attention without a sigmoid (eq. 10): `conv2(x * conv1(pool(x)))`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ap = AveragePool()
        self.conv1 = Pointwise(channels, channels)
        self.conv2 = Pointwise(channels, channels)

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """Map `(B,C,H,W)` to `(B,C,H,W)`, output channels scaled by `scale` `(C,)`."""
        return cast(Tensor, self.conv2(x * self.conv1(self.ap(x)), scale))


class ALGBlock(nn.Module):
    """Aggregate local and global features (eq. 9 to 11), then a gated feed-forward (eq. 12)."""

    def __init__(self, channels: int, config: ALGNetConfig, has_global_branch: bool) -> None:
        super().__init__()
        c = channels
        self.fusion = config.fusion
        released = config.fusion == "release"
        if released:  # gamma and conv3_2 take no part; they are in the released checkpoints
            self.gamma = nn.Parameter(torch.zeros(1, c, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, c, 1, 1))
        if released:
            self.inside_all = nn.Parameter(torch.zeros(c, 1, 1))
            self.lamb_g = nn.Parameter(torch.zeros(c))
        if released or config.fusion == "paper":
            self.lamb_l = nn.Parameter(torch.zeros(c) if released else torch.ones(c))
        self.conv1 = Pointwise(c, 2 * c)
        self.conv2 = nn.Conv2d(2 * c, 2 * c, 3, padding=1, groups=2 * c)
        if released or config.fusion == "concat":
            self.conv3_2 = Pointwise(2 * c, c)
        self.norm1 = LayerNorm2d(c)
        self.norm2 = LayerNorm2d(c)
        self.conv4 = Pointwise(c, 2 * c)
        self.conv5 = Pointwise(c, c)
        self.g_layer = GlobalBranch(c, config.state_size) if has_global_branch else None
        self.l_layer = LocalBranch(c) if config.local_branch else None

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to `(B,C,H,W)`."""
        x = x + self._aggregate(simple_gate(self.conv2(self.conv1(self.norm1(x)))))
        fed_forward = self.conv5(simple_gate(self.conv4(self.norm2(x))), self.beta.flatten())
        return x + cast(Tensor, fed_forward)

    def _aggregate(self, s: Tensor) -> Tensor:
        global_scale, local_scale = None, None
        if self.fusion == "release":
            global_scale = self.lamb_g * (1 + self.inside_all.flatten())
        if self.fusion in ("release", "paper"):
            local_scale = self.lamb_l
        branches: list[Tensor] = []
        if self.g_layer is not None:
            branches.append(self.g_layer(s, global_scale))
        if self.l_layer is not None:
            branches.append(self.l_layer(s, local_scale))
        if self.fusion == "concat" and len(branches) == 2:
            return cast(Tensor, self.conv3_2(torch.cat(branches, dim=1)))
        return sum(branches[1:], branches[0]) if branches else torch.zeros_like(s)


class _Convolution(nn.Module):
    """A "same" convolution with an optional GELU, under the release's key `main.0`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gelu: bool) -> None:
        super().__init__()
        conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.main = nn.Sequential(conv, nn.GELU()) if gelu else nn.Sequential(conv)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.main(x))


class ShallowExtractor(nn.Module):
    """Features of a down-sampled input: `(B,3,h,w)` to `(B,C,h,w)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter, half = channels // 4, channels // 2
        self.main = nn.Sequential(
            _Convolution(3, quarter, 3, gelu=True),
            _Convolution(quarter, half, 1, gelu=True),
            _Convolution(half, half, 3, gelu=True),
            _Convolution(half, channels, 1, gelu=False),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Extract features."""
        return cast(Tensor, self.main(x))


class Merge(nn.Module):
    """Join the main path with shallow features by a 1x1 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.merge = Pointwise(2 * channels, channels)

    def forward(self, x: Tensor, shallow: Tensor) -> Tensor:
        """Map twice `(B,C,h,w)` to `(B,C,h,w)`."""
        return cast(Tensor, self.merge(torch.cat((x, shallow), dim=1)))


class ALGNet(Network):
    """The bare network, with the release's parameter names and outputs.

    Args:
        config: the layout.
    """

    def __init__(self, config: ALGNetConfig) -> None:
        super().__init__()
        self.config = config
        self.size_multiple = config.size_multiple
        w, top = config.width, config.levels
        image_channels = 3 * config.stem**2
        self.intro = nn.Conv2d(image_channels, w, 3, padding=1)
        self.ending = nn.Conv2d(w, image_channels, 3, padding=1)
        self.encoders = nn.ModuleList(
            self._blocks(level, count) for level, count in enumerate(config.encoder_blocks)
        )
        self.middle_blks = self._blocks(top, config.middle_blocks)
        decoder_levels = range(top - 1, -1, -1)
        self.decoders = nn.ModuleList(
            self._blocks(level, count)
            for level, count in zip(decoder_levels, config.decoder_blocks, strict=True)
        )
        widths = [config.channels(level) for level in range(top)]
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in widths)
        self.ups = nn.ModuleList(
            nn.Sequential(Pointwise(2 * c, 4 * c, bias=False), nn.PixelShuffle(2))
            for c in reversed(widths)
        )
        for level in range(top - 1):  # shallow features come in below levels 0, 1 and so on
            self.add_module(f"SFE{2 ** (level + 1)}", ShallowExtractor(2 * widths[level]))
            self.add_module(f"FAM{2 ** (level + 1)}", Merge(2 * widths[level]))
        self.Convs = nn.ModuleList(Pointwise(2 * c, c) for c in reversed(widths))
        self.ConvsOut = nn.ModuleList(nn.Conv2d(c, 3, 3, padding=1) for c in reversed(widths[1:]))

    def _blocks(self, level: int, count: int) -> nn.Sequential:
        config = self.config
        channels, has_global = config.channels(level), config.has_global_branch(level)
        return nn.Sequential(*(ALGBlock(channels, config, has_global) for _ in range(count)))

    def forward(self, image: Tensor, side_outputs: bool = True) -> list[Tensor]:
        """Restore an image at every scale.

        Args:
            image: `(B,3,H,W)`, RGB in [0,1]; zero-padded right and below to `size_multiple`.
            side_outputs: also compute the coarser scales (deep supervision).

        Returns:
            Restored images of the *padded* size, coarse to fine, full resolution last. For four
            levels and stem 1 the scales are 1/8, 1/4, 1/2, 1.
        """
        multiple = self.config.size_multiple
        image = F.pad(image, (0, -image.shape[-1] % multiple, 0, -image.shape[-2] % multiple))
        image = image.contiguous(memory_format=torch.channels_last)
        pyramid = [image[:, :, :: self.config.stem, :: self.config.stem]]
        for _ in range(self.config.levels - 1):
            pyramid.append(pyramid[-1][:, :, ::2, ::2])
        features, skips = self._encode(image, pyramid)
        features, sides = self._decode(features, skips, pyramid if side_outputs else [])
        residual = F.pixel_shuffle(self.ending(features), self.config.stem)
        return [*sides, residual + image]

    def _encode(self, image: Tensor, pyramid: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        x = self.intro(_unshuffle(image, self.config.stem).to(self.intro.weight.dtype))
        skips: list[Tensor] = []
        for level, (blocks, down) in enumerate(zip(self.encoders, self.downs, strict=True)):
            x = blocks(x)
            skips.append(x)
            x = down(x)
            if level + 1 < len(pyramid):
                scale = 2 ** (level + 1)
                shallow = self.get_submodule(f"SFE{scale}")(pyramid[level + 1].to(x.dtype))
                x = self.get_submodule(f"FAM{scale}")(x, shallow)
        return self.middle_blks(x), skips

    def _decode(
        self, x: Tensor, skips: list[Tensor], pyramid: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        sides: list[Tensor] = []
        for index, level in enumerate(range(self.config.levels - 1, -1, -1)):
            x = self.Convs[index](torch.cat((self.ups[index](x), skips[level]), dim=1))
            x = self.decoders[index](x)
            if pyramid and level > 0:
                sides.append(self.ConvsOut[index](x) + pyramid[level])
        return x, sides

    def set_local_pooling(self, train_size: int | None) -> None:
        """Pool over 1.5 times the training patch (the test-time local converter), or globally.

        Args:
            train_size: side of the training patches in pixels; None pools globally.
        """
        finest = None if train_size is None else -(-train_size // self.config.size_multiple)
        for level, blocks in self._blocks_by_level():
            for module in blocks.modules():
                if isinstance(module, AveragePool):
                    module.window = None
                    if train_size is not None and finest is not None:
                        side = finest * 2 ** (self.config.levels - level)
                        window = side * int(1.5 * train_size) // train_size
                        module.window = (window, window)

    def _blocks_by_level(self) -> list[tuple[int, nn.Module]]:
        top = self.config.levels
        encoders = list(enumerate(self.encoders))
        decoders = [(top - 1 - index, blocks) for index, blocks in enumerate(self.decoders)]
        return [*encoders, (top, self.middle_blks), *decoders]


def _unshuffle(image: Tensor, stem: int) -> Tensor:
    if stem == 1:
        return image
    return F.pixel_unshuffle(image, stem).contiguous(memory_format=torch.channels_last)
