from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image

from deblur_cli.inspection.blocks import Activations, Features
from deblur_cli.inspection.drawings import (
    draw_channels,
    draw_features,
    draw_field,
    idle_channels,
)


def _opened(content: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(content))
    assert image.format == "PNG"
    return np.asarray(image)


def _coloured(pixels: np.ndarray) -> np.ndarray:
    """Pixels that are neither black, white nor grey."""
    return pixels.max(-1) - pixels.min(-1).astype(int) > 60


def test_idle_channels_are_those_far_below_the_strongest() -> None:
    assert idle_channels(np.array([0, 0.009, 0.011, 1], np.float32)) == 2
    assert idle_channels(np.zeros(3, np.float32)) == 3


def test_bars_stand_in_the_column_of_their_branch() -> None:
    ones = np.ones(4, np.float32)
    both = _opened(draw_channels("net", [Activations("a.0", ones, ones)]))
    local = _opened(draw_channels("net", [Activations("a.0", None, ones)]))
    half = both.shape[1] // 2
    assert _coloured(both[:, :half]).sum() > 40_000
    assert _coloured(both[:, half:]).sum() > 40_000
    assert not _coloured(local[:, : local.shape[1] // 2]).any()
    assert _coloured(local).sum() > 40_000


def test_each_block_has_a_row_of_features() -> None:
    crop = torch.rand(1, 3, 16, 16)
    values = np.random.default_rng(0).random((8, 8), np.float32)
    one = Features("a.0", 4, values, values, values)
    shorter = _opened(draw_features("net", crop, crop, [one]))
    longer = _opened(draw_features("net", crop, crop, [one, one, one]))
    assert longer.shape[1] == shorter.shape[1]
    assert 2 * 256 < longer.shape[0] - shorter.shape[0] < 2 * 320


def test_field_is_brightest_where_it_is_largest() -> None:
    field = np.full((32, 32), 1e-9)
    field[16, 16] = 1.0
    pixels = _opened(draw_field("net", field, 5)).astype(int)
    yellow = (pixels[..., 0] > 200) & (pixels[..., 1] > 200) & (pixels[..., 2] < 100)
    rows = np.flatnonzero(yellow[:, : 16 * 16 + 8].any(1))
    assert not rows.size
    square = np.flatnonzero(yellow.any(1))
    assert len(square) >= 512 // 32


def test_field_of_zeros_can_be_drawn() -> None:
    assert _opened(draw_field("net", np.zeros((8, 8)), 1)).size
