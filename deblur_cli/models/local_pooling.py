"""The test-time local converter: pools see as much of a picture as they saw of a training patch."""

from __future__ import annotations

from typing import Any

import torch

from deblur_cli.models.layers import AveragePool
from deblur_cli.models.restoration import Network


def set_pool_windows(network: Network, train_size: int | None) -> None:
    """Pool over 1.5 times what each pool saw of a training patch, or globally.

    Args:
        network: its `AveragePool`s are set; heights and widths of all its feature maps must be
            proportional to the image's.
        train_size: side of the training patches in pixels; None pools globally.
    """
    pools = [module for module in network.modules() if isinstance(module, AveragePool)]
    for pool in pools:
        pool.window = None
    if train_size is None:
        return
    patch = -(-train_size // network.size_multiple)  # in sides of the smallest image
    reach = int(1.5 * train_size)
    for pool, sides in _smallest_maps(network, pools).items():
        height, width = (side * patch * reach // train_size for side in sides)
        pool.window = height, width


def _smallest_maps(
    network: Network, pools: list[AveragePool]
) -> dict[AveragePool, tuple[int, int]]:
    """Height and width of what each pool in use is given for the smallest image there can be."""
    maps: dict[AveragePool, tuple[int, int]] = {}

    def note(pool: AveragePool, inputs: tuple[Any, ...]) -> None:
        maps[pool] = inputs[0].shape[-2:]

    hooks = [pool.register_forward_pre_hook(note) for pool in pools]
    side, device = network.size_multiple, next(network.parameters()).device
    with torch.no_grad():
        network(torch.zeros((1, 3, side, side), device=device))
    for hook in hooks:
        hook.remove()
    return maps
