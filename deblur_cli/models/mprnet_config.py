"""The layouts of MPRNet: any width and depth; given or read from weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from deblur_cli.errors import UsageError
from deblur_cli.models.state_dict import count_children


@dataclass(frozen=True)
class MPRNetConfig:
    """Layout of an MPRNet; the defaults are those of the GoPro release (20.1 M parameters)."""

    width: int = 96
    """Channels at full resolution in the first two stages."""
    unet_step: int = 48
    """Channels that an encoder adds from one resolution to the next."""
    full_resolution_step: int = 32
    """Channels that the last stage has more than `width`."""
    attention_blocks: int = 8
    """Channel attention blocks in each of the last stage's three groups."""
    reduction: int = 4
    """Channels per hidden channel of a channel attention."""

    def __post_init__(self) -> None:
        """Refuse layouts that make no network.

        Raises:
            UsageError: says what MPRNet needs.
        """
        if self.width < 1 or self.reduction < 1 or self.attention_blocks < 1:
            raise UsageError("MPRNet needs width, reduction and attention_blocks of at least 1")
        if self.unet_step < 0 or self.full_resolution_step < 0:
            raise UsageError("MPRNet needs steps of at least 0 channels")
        if any(c % self.reduction for c in (*self.unet_channels, self.full_resolution_channels)):
            raise UsageError("MPRNet needs numbers of channels that its reduction divides")

    @property
    def unet_channels(self) -> tuple[int, int, int]:
        """Channels at full, half and quarter resolution in the first two stages."""
        return self.width, self.width + self.unet_step, self.width + 2 * self.unet_step

    @property
    def full_resolution_channels(self) -> int:
        """Channels of the last stage."""
        return self.width + self.full_resolution_step


def infer_config(state: Mapping[str, Tensor]) -> MPRNetConfig | None:
    """Read the layout from a state dict's keys and shapes; None if it is no MPRNet."""
    return None if "shallow_feat0.0.weight" in state else infer_layout(state)


def infer_layout(state: Mapping[str, Tensor]) -> MPRNetConfig | None:
    """Read the layout of an MPRNet, or of the one inside a larger network."""
    squeeze, down = "shallow_feat1.1.CA.conv_du.0.weight", "stage1_encoder.down12.down.1.weight"
    if not {squeeze, down, "tail.weight"} <= state.keys():
        return None
    width = state[squeeze].shape[1]
    return MPRNetConfig(
        width=width,
        unet_step=state[down].shape[0] - width,
        full_resolution_step=state["tail.weight"].shape[1] - width,
        attention_blocks=count_children(state, "stage3_orsnet.orb1.body.") - 1,
        reduction=width // max(state[squeeze].shape[0], 1),
    )
