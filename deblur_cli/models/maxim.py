"""MAXIM: U-shaped stages that mix pixels over the whole image and within windows.

Tu et al., "MAXIM: Multi-Axis MLP for Image Processing", CVPR 2022. Features of all levels are lists
`[full, half, quarter]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deblur_cli.models.descriptor import Tiling
from deblur_cli.models.layers import Pointwise
from deblur_cli.models.local_pooling import set_pool_windows
from deblur_cli.models.maxim_blocks import (
    ConvolvedAttention,
    CrossGating,
    MultiAxisBlock,
    ProjectedAttention,
    Up,
    conv3x3,
)
from deblur_cli.models.maxim_config import LEVELS, MAXIMConfig
from deblur_cli.models.maxim_initial import initialise
from deblur_cli.models.resampling import enlarge, shrink
from deblur_cli.models.restoration import Network


class ImageConv(nn.Conv2d):
    """A 3x3 convolution of an image, in float32 even if its weights are rounded.

    An image rounded to bfloat16 brings in as much noise as all other rounding in the network.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(3, channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Map `(B,3,H,W)` to `(B,C,H,W)` in the dtype of the weight."""
        exact = torch.promote_types(self.weight.dtype, torch.float32)
        weight, bias = self.weight.to(exact), cast(Tensor, self.bias).to(exact)
        return F.conv2d(image.to(exact), weight, bias, padding=1).to(self.weight.dtype)


class Body(nn.Module):
    """Multi-axis blocks, each followed by a channel attention, around which the input is added."""

    def __init__(self, config: MAXIMConfig, level: int, inputs: int) -> None:
        super().__init__()
        channels, n = config.channels(level), config.block(level)
        self.proj = Pointwise(inputs, channels)
        self.mab = nn.ModuleList(MultiAxisBlock(channels, n) for _ in range(config.groups))

    def refine(self, x: Tensor, attentions: nn.ModuleList) -> Tensor:
        """Map `(B,Cin,H,W)` to `(B,C,H,W)`."""
        shortcut = x = self.proj(x)
        for mix, attend in zip(self.mab, attentions, strict=True):
            x = attend(mix(x))
        return cast(Tensor, x + shortcut)


class Encoder(Body):
    """Features of one level, on the way down; a later stage gates them by the earlier's."""

    def __init__(self, config: MAXIMConfig, level: int, gated: bool) -> None:
        c = config.channels(level)
        super().__init__(config, level, config.channels(max(level - 1, 0)) + c)
        self.rcab = nn.ModuleList(ConvolvedAttention(c) for _ in range(config.groups))
        if gated:
            self.cross_gate = CrossGating(c, c, config.block(level))
        self.down = nn.Conv2d(c, c, 4, stride=2, padding=1)

    def forward(self, x: Tensor, earlier: Tensor | None) -> Tensor:
        """Map `(B,Cin,H,W)` to `(B,C,H,W)`; `earlier` has the shape of the result."""
        x = self.refine(x, self.rcab)
        if earlier is not None:
            x, _ = self.cross_gate(x, earlier)
        return x


class Bottleneck(Body):
    """Features of the smallest size."""

    def __init__(self, config: MAXIMConfig) -> None:
        c = config.channels(LEVELS)
        super().__init__(config, LEVELS, c)
        self.rdcab = nn.ModuleList(ProjectedAttention(c) for _ in range(config.groups))

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to the same."""
        return self.refine(x, self.rdcab)


class Decoder(Body):
    """Features of one level, on the way up."""

    def __init__(self, config: MAXIMConfig, level: int) -> None:
        c = config.channels(level)
        super().__init__(config, level, (1 + LEVELS) * c)
        self.up = Up(config.channels(level + 1), c)
        self.rcab = nn.ModuleList(ConvolvedAttention(c) for _ in range(config.groups))

    def forward(self, below: Tensor, skips: Tensor) -> Tensor:
        """Map `(B,C',H/2,W/2)` and `(B,3C,H,W)` to `(B,C,H,W)`."""
        return self.refine(torch.cat((self.up(below), skips), dim=1), self.rcab)


class Mix(nn.ModuleList):
    """Bring the features of all levels to the size and channels of one."""

    def __init__(self, config: MAXIMConfig, level: int) -> None:
        c = config.channels(level)
        super().__init__(Pointwise(config.channels(source), c) for source in range(LEVELS))
        self.level = level

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """One `(B,C,H,W)` from each level.

        Projection and resizing commute; what comes first is what makes the map smaller.
        """
        mixed: list[Tensor] = []
        for source, (project, x) in enumerate(zip(self, features, strict=True)):
            smaller = shrink(x, 2 ** max(self.level - source, 0))
            mixed.append(enlarge(project(smaller), 2 ** max(source - self.level, 0)))
        return mixed


class SupervisedAttention(nn.Module):
    """Restore an image from features (SAM), and weigh the features by what it shows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.feat = conv3x3(channels, channels)
        self.image = conv3x3(channels, 3)
        self.attn = conv3x3(3, channels)

    def forward(self, x: Tensor, blurred: Tensor) -> tuple[Tensor, Tensor]:
        """Map `(B,C,H,W)` to features of this shape and a restored image `(B,3,H,W)`."""
        restored = self.image(x) + blurred
        weights = torch.sigmoid(self.attn(restored.to(x.dtype)))
        return torch.addcmul(x, self.feat(x), weights), restored


class Earlier(NamedTuple):
    """What a stage leaves to the next, by level."""

    attended: list[Tensor]
    """Features weighed by what they restored."""
    skips: list[Tensor]
    """Encoded and decoded features, added."""


class Stage(nn.Module):
    """One U-shaped network."""

    def __init__(self, config: MAXIMConfig, first: bool, last: bool) -> None:
        super().__init__()
        levels = range(LEVELS)
        widths = [config.channels(level) for level in levels]
        self.in_conv = nn.ModuleList(ImageConv(c) for c in widths)
        if not first:
            self.sam_fuse = nn.ModuleList(
                CrossGating(c, c, config.block(level)) for level, c in enumerate(widths)
            )
        self.encoder = nn.ModuleList(Encoder(config, level, gated=not first) for level in levels)
        self.bottleneck = nn.Sequential(
            *(Bottleneck(config) for _ in range(config.bottleneck_blocks))
        )
        self.mix_enc = nn.ModuleList(Mix(config, level) for level in levels)
        self.cross_gate = nn.ModuleList(
            CrossGating(LEVELS * c, c, config.block(level), config.channels(level + 1))
            for level, c in enumerate(widths)
        )
        self.mix_dec = nn.ModuleList(Mix(config, level) for level in levels)
        self.decoder = nn.ModuleList(Decoder(config, level) for level in levels)
        if not last:
            self.sam = nn.ModuleList(SupervisedAttention(c) for c in widths)
        else:
            restored = widths if config.coarse_results else widths[:1]
            self.out_conv = nn.ModuleList(conv3x3(c, 3) for c in restored)

    def forward(
        self, images: list[Tensor], earlier: Earlier | None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Encode and decode the blurred image.

        Args:
            images: of every level, `(B,3,h,w)`.
            earlier: what the stage before left.

        Returns:
            Encoded and decoded features of every level.
        """
        shallow = [conv(image) for conv, image in zip(self.in_conv, images, strict=True)]
        if earlier is not None:
            pairs = zip(self.sam_fuse, shallow, earlier.attended, strict=True)
            shallow = [fuse(x, attended)[0] for fuse, x, attended in pairs]
        encoded, coarsest = self._encode(shallow, earlier)
        bottom: Tensor = self.bottleneck(coarsest)
        return encoded, self._decode(self._fuse(encoded, bottom), bottom)

    def _encode(
        self, shallow: list[Tensor], earlier: Earlier | None
    ) -> tuple[list[Tensor], Tensor]:
        """Features of every level, and those for the bottleneck."""
        encoded: list[Tensor] = []
        x = shallow[0]
        for level, encoder in enumerate(cast(Iterable[Encoder], self.encoder)):
            skip = None if earlier is None else earlier.skips[level]
            encoded.append(encoder(torch.cat((x, shallow[level]), dim=1), skip))
            x = encoder.down(encoded[-1])
        return encoded, x

    def _fuse(self, encoded: list[Tensor], signal: Tensor) -> list[Tensor]:
        """Gate the encoded features by a signal from below."""
        fused: list[Tensor] = []
        for mix, cross_gate in zip(self.mix_enc[::-1], self.cross_gate[::-1], strict=True):
            x, signal = cross_gate(torch.cat(mix(encoded), dim=1), signal)
            fused.insert(0, x)
        return fused

    def _decode(self, fused: list[Tensor], x: Tensor) -> list[Tensor]:
        decoded: list[Tensor] = []
        for mix, decoder in zip(self.mix_dec[::-1], self.decoder[::-1], strict=True):
            x = decoder(x, torch.cat(mix(fused)[::-1], dim=1))
            decoded.insert(0, x)
        return decoded

    def attend(
        self, decoded: list[Tensor], images: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Features for the next stage and restored images, of every level."""
        pairs = [sam(x, image) for sam, x, image in zip(self.sam, decoded, images, strict=True)]
        return [attended for attended, _ in pairs], [restored for _, restored in pairs]


class MAXIM(Network):
    """The bare network, with the outputs of its release.

    Args:
        config: the layout.
    """

    padding_mode = "reflect"
    tiling = Tiling(largest=512, step=16)

    def __init__(self, config: MAXIMConfig) -> None:
        super().__init__()
        self.config = config
        self.size_multiple = config.size_multiple
        final = config.stages - 1
        self.stages = nn.ModuleList(
            Stage(config, first=index == 0, last=index == final) for index in range(config.stages)
        )
        initialise(self)

    def forward(self, image: Tensor, side_outputs: bool = True) -> list[Tensor]:
        """Restore an image in each stage, at three scales.

        Args:
            image: `(B,3,H,W)`, RGB in [0,1]; H and W are multiples of `size_multiple`.
            side_outputs: also give the images of earlier stages and of half and quarter size.

        Returns:
            Restored images, stage by stage, of each stage the smallest first; of the last stage
            the full size only, if the layout has no more.
        """
        images = _pyramid(image)
        *before, last = cast(list[Stage], list(self.stages))
        earlier, outputs = None, list[Tensor]()
        for stage in before:
            encoded, decoded = stage(images, earlier)
            attended, restored = stage.attend(decoded, images)
            outputs += restored[::-1]
            earlier = Earlier(attended, [e + d for e, d in zip(encoded, decoded, strict=True)])
        _, decoded = last(images, earlier)
        heads = last.out_conv if side_outputs else last.out_conv[:1]
        results = [head(x) + image for head, x, image in zip(heads, decoded, images, strict=False)]
        return [*outputs, *results[::-1]] if side_outputs else results

    def set_local_pooling(self, train_size: int | None) -> None:
        """Let the channel attentions see 1.5 times the training patch, or the whole image.

        The grids reach over the whole image all the same.

        Args:
            train_size: side of the training patches in pixels (the releases': 256); None pools
                globally, as in the release.
        """
        set_pool_windows(self, train_size)


def _pyramid(image: Tensor) -> list[Tensor]:
    """The image, its half and its quarter: nearest neighbours of half-pixel centres."""
    image = image.contiguous(memory_format=torch.channels_last)
    return [image, image[..., 1::2, 1::2], image[..., 2::4, 2::4]]
