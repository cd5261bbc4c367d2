"""NAFNet: a U-shaped network without non-linear activations, the baseline of ALGNet's ablation.

Parameter names and results are those of the authors' release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deblur_cli.errors import UsageError
from deblur_cli.models.descriptor import Tiling
from deblur_cli.models.layers import AveragePool, LayerNorm2d, Pointwise, simple_gate
from deblur_cli.models.local_pooling import set_pool_windows
from deblur_cli.models.restoration import Network
from deblur_cli.models.state_dict import count_children


@dataclass(frozen=True)
class NAFNetConfig:
    """Layout of a NAFNet; the defaults are those of the smaller GoPro release (17.1 M parameters).

    They are also the baseline of ALGNet's ablation. Levels count from 0 (finest).
    """

    width: int = 32
    """Channels of the finest level; they double from level to level. The larger release has 64."""
    encoder_blocks: tuple[int, ...] = (1, 1, 1, 28)
    middle_blocks: int = 1
    decoder_blocks: tuple[int, ...] = (1, 1, 1, 1)
    """Blocks per decoder level, coarsest first."""

    def __post_init__(self) -> None:
        """Freeze lists into tuples and refuse layouts that make no network.

        Raises:
            UsageError: says what NAFNet needs.
        """
        for name in ("encoder_blocks", "decoder_blocks"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.encoder_blocks) != len(self.decoder_blocks):
            raise UsageError("NAFNet needs as many decoder levels as encoder levels")
        counts = (*self.encoder_blocks, self.middle_blocks, *self.decoder_blocks)
        if not self.encoder_blocks or min(counts) < 1:
            raise UsageError("NAFNet needs a level or more, and blocks in each")
        if self.width < 2 or self.width % 2:
            raise UsageError("NAFNet needs an even width of at least 2")

    @property
    def levels(self) -> int:
        """Number of encoder levels."""
        return len(self.encoder_blocks)

    def channels(self, level: int) -> int:
        """Channels of this level."""
        return int(self.width * 2**level)


def infer_config(state: Mapping[str, Tensor]) -> NAFNetConfig | None:
    """Read the layout from a state dict's keys and shapes; None if it is no NAFNet."""
    if (
        not {"intro.weight", "encoders.0.0.sca.1.weight", "middle_blks.0.sca.1.weight"}
        <= state.keys()
    ):
        return None
    levels = count_children(state, "downs.")
    return NAFNetConfig(
        width=state["intro.weight"].shape[0],
        encoder_blocks=tuple(count_children(state, f"encoders.{k}.") for k in range(levels)),
        middle_blocks=count_children(state, "middle_blks."),
        decoder_blocks=tuple(count_children(state, f"decoders.{k}.") for k in range(levels)),
    )


class NAFBlock(nn.Module):
    """Gated convolutions with simplified channel attention, then a gated feed-forward."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        c = channels
        self.beta = nn.Parameter(torch.zeros(1, c, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, c, 1, 1))
        self.conv1 = Pointwise(c, 2 * c)
        self.conv2 = nn.Conv2d(2 * c, 2 * c, 3, padding=1, groups=2 * c)
        self.conv3 = Pointwise(c, c)
        self.sca = nn.Sequential(AveragePool(), Pointwise(c, c))
        self.conv4 = Pointwise(c, 2 * c)
        self.conv5 = Pointwise(c, c)
        self.norm1 = LayerNorm2d(c)
        self.norm2 = LayerNorm2d(c)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B,C,H,W)` to `(B,C,H,W)`."""
        s = simple_gate(self.conv2(self.conv1(self.norm1(x))))
        x = x + self.conv3(s * self.sca(s), self.beta.flatten())
        fed_forward = self.conv5(simple_gate(self.conv4(self.norm2(x))), self.gamma.flatten())
        return x + cast(Tensor, fed_forward)


class NAFNet(Network):
    """The bare network, with the release's parameter names and output.

    Args:
        config: the layout.
    """

    tiling = Tiling(reach="means")

    def __init__(self, config: NAFNetConfig) -> None:
        super().__init__()
        self.config = config
        self.size_multiple = 2**config.levels
        widths = [config.channels(level) for level in range(config.levels)]
        self.intro = nn.Conv2d(3, config.width, 3, padding=1)
        self.ending = nn.Conv2d(config.width, 3, 3, padding=1)
        self.encoders = _stages(widths, config.encoder_blocks)
        self.middle_blks = _blocks(2 * widths[-1], config.middle_blocks)
        self.decoders = _stages(widths[::-1], config.decoder_blocks)
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in widths)
        self.ups = nn.ModuleList(
            nn.Sequential(Pointwise(2 * c, 4 * c, bias=False), nn.PixelShuffle(2))
            for c in widths[::-1]
        )

    def forward(self, image: Tensor, side_outputs: bool = True) -> list[Tensor]:
        """Restore an image; there are no coarser scales.

        Args:
            image: `(B,3,H,W)`, RGB in [0,1]; zero-padded right and below to `size_multiple`.
            side_outputs: as in every network; without effect.

        Returns:
            The restored image, cropped to `(B,3,H,W)`.
        """
        height, width = image.shape[-2:]
        padding = (0, -width % self.size_multiple, 0, -height % self.size_multiple)
        padded = F.pad(image, padding).contiguous(memory_format=torch.channels_last)
        x = self.intro(padded.to(self.intro.weight.dtype))
        skips: list[Tensor] = []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            skips.append(blocks(x))
            x = down(skips[-1])
        x = self.middle_blks(x)
        for up, blocks in zip(self.ups, self.decoders, strict=True):
            x = blocks(up(x) + skips.pop())
        return [(self.ending(x) + padded)[..., :height, :width]]

    def set_local_pooling(self, train_size: int | None) -> None:
        """Pool over 1.5 times the training patch (the test-time local converter), or globally.

        Args:
            train_size: side of the training patches in pixels (the releases': 256); None pools
                globally.
        """
        set_pool_windows(self, train_size)


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(NAFBlock(channels) for _ in range(count)))


def _stages(widths: list[int], counts: tuple[int, ...]) -> nn.ModuleList:
    return nn.ModuleList(_blocks(c, count) for c, count in zip(widths, counts, strict=True))
