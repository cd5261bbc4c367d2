"""The blocks that networks repeat, and what they compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from deblur_cli.models import RestorationModel
from deblur_cli.models.algnet import ALGBlock, GlobalBranch, LocalBranch
from deblur_cli.models.maxim_blocks import MultiAxisBlock
from deblur_cli.models.mprnet import AttentionBlock
from deblur_cli.models.nafnet import NAFBlock
from deblur_cli.models.xyscannet import EncoderBlock

KINDS = (ALGBlock, NAFBlock, EncoderBlock, AttentionBlock, MultiAxisBlock)

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Activations:
    """How active each channel of a block's branches is: its mean over the pixels after ReLU.

    Branches are taken before their learnt factors; None for a branch the block does not have.
    """

    block: str
    global_branch: Values | None
    """`(C,)`."""
    local_branch: Values | None
    """`(C,)`."""


@dataclass(frozen=True)
class Features:
    """Feature maps of a block as their root mean square over the channels, `(h,w)` each."""

    block: str
    channels: int
    before: Values
    after: Values
    change: Values
    """Of the difference between after and before."""


def branch_activations(model: RestorationModel, crop: Tensor) -> list[Activations]:
    """Activations in the last block of every group of blocks that have branches.

    Args:
        model: in evaluation mode.
        crop: `(1,3,h,w)`, where the model lies.

    Returns:
        In the order of computation; nothing for a network without such branches.
    """
    found: dict[str, Values] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(branch: nn.Module, inputs: tuple[Any, ...], _output: Tensor) -> None:
            unscaled: Tensor = branch.forward(inputs[0])
            found[name] = _array(unscaled.float().relu().mean((0, 2, 3)))

        return hook

    blocks = last_blocks(model, (ALGBlock,))
    branches = {
        f"{name}.{part}": branch
        for name, block in blocks.items()
        for part, branch in block.named_children()
        if isinstance(branch, GlobalBranch | LocalBranch)
    }
    _run(
        model, crop, [branch.register_forward_hook(note(name)) for name, branch in branches.items()]
    )
    activations = (
        Activations(name, found.get(f"{name}.g_layer"), found.get(f"{name}.l_layer"))
        for name in blocks
    )
    return [x for x in activations if x.global_branch is not None or x.local_branch is not None]


def block_features(model: RestorationModel, crop: Tensor) -> list[Features]:
    """Feature maps before and after the last block of every group.

    Args:
        model: in evaluation mode.
        crop: `(1,3,h,w)`, where the model lies.

    Returns:
        In the order of computation; of blocks that run several times, their first run.
    """
    found: dict[str, Features] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(_block: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            if name not in found:
                before, after = inputs[0][:1], output[:1]
                found[name] = Features(
                    name, after.shape[1], _rms(before), _rms(after), _rms(after - before)
                )

        return hook

    blocks = last_blocks(model, KINDS)
    _run(model, crop, [block.register_forward_hook(note(name)) for name, block in blocks.items()])
    return list(found.values())


def last_blocks(
    model: RestorationModel, kinds: tuple[type[nn.Module], ...]
) -> dict[str, nn.Module]:
    """The last block of these kinds within each module that contains some, by its name."""
    last = {
        name.rpartition(".")[0]: (name, module)
        for name, module in model.network.named_modules()
        if isinstance(module, kinds)
    }
    return dict(last.values())


def _run(
    model: RestorationModel, crop: Tensor, hooks: list[torch.utils.hooks.RemovableHandle]
) -> None:
    try:
        with torch.inference_mode():
            model(crop)
    finally:
        for hook in hooks:
            hook.remove()


def _rms(x: Tensor) -> Values:
    return _array(x[0].float().square().mean(0).sqrt())


def _array(x: Tensor) -> Values:
    values: Values = x.cpu().numpy()
    return values
