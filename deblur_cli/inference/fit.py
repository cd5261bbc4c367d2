"""Fitting tiles to the memory of a device, and to the wishes of user and weights."""

from __future__ import annotations

import math

import torch

from deblur_cli.inference.cost import bytes_per_pixel
from deblur_cli.inference.memory import (
    affordable_pixels,
    check_budget,
    network_budget,
    parse_memory,
)
from deblur_cli.inference.tile_size import TileChoice, TileSize
from deblur_cli.inference.tiles import smallest_tile
from deblur_cli.models import RestorationModel


def fit_tiles(
    model: RestorationModel,
    device: torch.device,
    tile: TileChoice,
    overlap: int,
    advised: int,
    max_memory: int | str | None,
) -> TileSize:
    """The tile size to begin with, and on a GPU how many pixels go through the network at a time.

    A network that wants squares restores tiles one by one: what it makes of others has more pixels.

    Args:
        model: in working precision on `device`, where its cost is measured if need be.
        device: where it runs.
        tile: side in pixels, 0 for whole pictures, or `auto` for what memory allows.
        overlap: pixels that tiles share.
        advised: largest automatic side, 0 for any.
        max_memory: as `network_budget`, or text for `parse_memory`.

    Raises:
        UsageError: not even the smallest tile fits into `max_memory`.
    """
    size = model.descriptor.size
    multiple = size.multiple
    in_batches = device.type == "cuda" and not size.square
    if tile != "auto" and not in_batches:
        return TileSize(tile or None, overlap, multiple)
    allowed = parse_memory(max_memory) if isinstance(max_memory, str) else max_memory
    cost = bytes_per_pixel(model, device)
    budget = network_budget(device, allowed)
    pixels = affordable_pixels(device, budget, cost)
    at_once = pixels if in_batches else 0
    if tile != "auto":
        return TileSize(tile or None, overlap, multiple, at_once)
    smallest = smallest_tile(overlap, multiple)
    affordable = math.isqrt(pixels) // multiple * multiple
    if affordable < smallest and allowed is not None:
        check_budget(device, allowed, budget, needed=int(cost * smallest**2))
    limit = max(min(affordable, advised or affordable), smallest)
    return TileSize(limit, overlap, multiple, at_once)
