"""FCN: MPRNet with a stage 0 on eighths of the picture, which feeds the first stage's features.

Parameter names and results of the `release` variant are those of the authors' code. Where paper and
code differ and the paper is definite, `paper` follows the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from deblur_cli.errors import UsageError
from deblur_cli.models.layers import LayerNorm2d
from deblur_cli.models.mprnet import (
    COLUMNS,
    ROWS,
    Blocks,
    Decoder,
    MPRNet,
    ShallowFeatures,
    SharedPReLU,
    conv3x3,
    join,
    pointwise,
    split,
)
from deblur_cli.models.mprnet_config import MPRNetConfig, infer_layout

Variant = Literal["release", "paper"]
Norm = Literal["image", "batch"]


@dataclass(frozen=True)
class FCNConfig(MPRNetConfig):
    """Layout of an FCN; the defaults are the release's (21.8 M parameters, 20.3 M of them used)."""

    variant: Variant = "release"
    """`paper` weighs the features of both halves, not of the upper one only, after a layer norm
    over the channels of each pixel; it has SELU in place of PReLU, two attention blocks on the
    pixels of each stage in place of one, and restores an image in stage 0 too."""
    norm: Norm = "image"
    """Over what the release's layer norm runs: each `image`, or as in the authors' code the whole
    `batch`, so that the result of an image depends on the others."""

    def __post_init__(self) -> None:
        """Refuse layouts that make no network.

        Raises:
            UsageError: says what FCN needs.
        """
        super().__post_init__()
        if self.width % 2:
            raise UsageError("FCN needs an even width")
        for name, choices in (("variant", get_args(Variant)), ("norm", get_args(Norm))):
            if getattr(self, name) not in choices:
                raise UsageError(
                    f"FCN has no {name} '{getattr(self, name)}'",
                    remedy=f"one of {', '.join(choices)}",
                )


def infer_config(state: Mapping[str, Tensor]) -> FCNConfig | None:
    """Read the layout from a state dict's keys and shapes; None if it is no FCN."""
    layout = infer_layout(state) if "shallow_feat0.0.weight" in state else None
    if layout is None:
        return None
    return FCNConfig(**asdict(layout), variant="paper" if "norm0.weight" in state else "release")


class FCN(MPRNet):
    """The bare network, with the release's parameter names and outputs.

    Args:
        config: the layout.
    """

    config: FCNConfig

    def __init__(self, config: FCNConfig) -> None:
        paper = config.variant == "paper"
        activation = nn.SELU() if paper else SharedPReLU()
        shallow_blocks = 2 if paper else 1
        super().__init__(config, activation, shallow_blocks)
        self.follows_paper = paper
        width = config.width
        self.shallow_feat0 = ShallowFeatures(Blocks(config, nn.SELU()), shallow_blocks)
        self.attention_down = pointwise(width, width // 2)
        self.attention_up = pointwise(width // 2, width)
        if paper:
            self.norm0 = LayerNorm2d(width)
            self.restore0 = pointwise(width, 3)
        else:  # takes no part; it is in the released checkpoints
            self.stage1_decoder1 = _unused_decoder(Blocks(config, activation))

    def forward(self, image: Tensor, side_outputs: bool = True) -> list[Tensor]:
        """Restore an image in each stage.

        Args:
            image: `(B,3,H,W)`, RGB in [0,1]; H and W are multiples of 8.
            side_outputs: also give the images of the earlier stages (deep supervision).

        Returns:
            Restored images `(B,3,H,W)`, of the last stage first: three, four in the paper.
        """
        halves = split(image, ROWS)
        features = join(self.shallow_feat0(split(halves, COLUMNS, 4)), COLUMNS, 4)
        context = self._enhance(features)
        images = self._restore(image, halves, context)
        if self.follows_paper:
            images.append(join(self.restore0(context) + halves, ROWS))
        return images if side_outputs else images[:1]

    def _enhance(self, halves: Tensor) -> Tensor:
        """Weigh features `(2B,C,H/2,W)` by themselves (EFEM)."""
        if self.follows_paper:
            return halves * self._weights(self.norm0(halves))
        upper, lower = halves.chunk(2)
        upper = upper * self._weights(_normalise(upper, whole_batch=self.config.norm == "batch"))
        return torch.cat((upper, lower))

    def _weights(self, x: Tensor) -> Tensor:
        return torch.sigmoid(cast(Tensor, self.attention_up(self.attention_down(x))))


def _normalise(x: Tensor, whole_batch: bool) -> Tensor:
    """Zero mean and unit variance of every image of `(B,C,H,W)`, or of all together."""
    exact = x.to(torch.promote_types(x.dtype, torch.float32))
    dims = (0, 1, 2, 3) if whole_batch else (1, 2, 3)
    variance, mean = torch.var_mean(exact, dims, correction=0, keepdim=True)
    return ((exact - mean) * torch.rsqrt(variance + 1e-5)).to(x.dtype)


def _unused_decoder(blocks: Blocks) -> Decoder:
    decoder = Decoder(blocks)
    fine, middle, coarse = blocks.config.unet_channels
    decoder.decoder_level2 = nn.Sequential(conv3x3(fine, middle), conv3x3(fine, middle))
    decoder.decoder_level3 = nn.Sequential(conv3x3(fine, coarse), conv3x3(fine, coarse))
    return decoder
