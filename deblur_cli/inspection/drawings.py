"""The pictures of `deblur inspect`: what was found in a network, drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

from deblur_cli.inference.samples import Image
from deblur_cli.inspection.blocks import Activations, Features, Values
from deblur_cli.inspection.canvas import Panel, bar_chart, colour_bar, fitted, heat_map, sheet
from deblur_cli.inspection.receptive_field import side_of_share

IDLE = 0.01
"""Channels below this share of the strongest one count as hardly active."""

DECADES = 6
"""How far below its largest value a receptive field is drawn."""

SHARES = (0.5, 0.9, 0.99)

_FIELD_SIDE = 512
_GLOBAL, _LOCAL = (214, 96, 32), (40, 104, 176)


def draw_channels(name: str, activations: Sequence[Activations]) -> bytes:
    """Bars for every channel of the global and the local branch, one row per block."""
    heading = (
        f"{name}: channel activations, mean over the pixels after ReLU",
        "one bar per channel; each chart has its own scale, up to the value given",
    )
    rows = [
        [
            _bars(f"{found.block}, global branch", found.global_branch, _GLOBAL),
            _bars(f"{found.block}, local branch", found.local_branch, _LOCAL),
        ]
        for found in activations
    ]
    return sheet(heading, rows)


def _bars(title: str, values: Values | None, colour: tuple[int, int, int]) -> Panel:
    if values is None:
        return Panel(f"{title}: none here", bar_chart(np.zeros(1), colour))
    idle = idle_channels(values)
    facts = f"largest {values.max():.3g}; {idle} of {len(values)} channels below {IDLE:.0%} of it"
    return Panel(f"{title}\n{facts}", bar_chart(values, colour))


def idle_channels(values: Values) -> int:
    """How many channels are hardly active."""
    return int((values <= IDLE * values.max()).sum())


def draw_features(name: str, crop: Tensor, restored: Tensor, features: Sequence[Features]) -> bytes:
    """The crop and its restoration, then maps before and after a block, and what it changed."""
    heading = (
        f"{name}: feature maps before and after blocks, root mean square over the channels",
        "before and after share a scale; colours run from the lowest to the highest value given",
    )
    change = (restored - crop).abs().amax(1)[0].cpu().numpy()
    rows = [
        [
            Panel("the crop", fitted(_pixels(crop))),
            Panel("restored", fitted(_pixels(restored))),
            _heat("largest change of a colour", change, 0, float(change.max())),
        ]
    ]
    for found in features:
        both = np.concatenate((found.before.ravel(), found.after.ravel()))
        low, high = float(both.min()), float(both.max())
        height, width = found.after.shape
        where = f"{found.block}\n{found.channels} channels, {width} x {height}"
        rows.append(
            [
                _heat(f"{where}, before", found.before, low, high),
                _heat(f"{found.block}\nafter", found.after, low, high),
                _heat(f"{found.block}\nchange", found.change, 0, float(found.change.max())),
            ]
        )
    return sheet(heading, rows)


def _heat(title: str, values: npt.NDArray[np.float32], low: float, high: float) -> Panel:
    return Panel(f"{title}: {low:.3g} to {high:.3g}", heat_map(values, low, high))


def _pixels(crop: Tensor) -> Image:
    values = crop[0].permute(1, 2, 0).clamp(0, 1).mul(255).round()
    pixels: Image = values.cpu().numpy().astype(np.uint8)
    return pixels


def draw_field(name: str, field: npt.NDArray[np.float64], crops: int) -> bytes:
    """The effective receptive field, colours on a logarithmic scale."""
    height, width = field.shape
    largest = float(field.max()) or 1.0
    levels = np.log10(np.maximum(field / largest, 10.0**-DECADES))
    sides = ", ".join(f"{share:.0%} in {side_of_share(field, share)}" for share in SHARES)
    heading = (
        f"{name}: effective receptive field",
        f"gradient of what is added to the middle of {width} x {height} pixels, mean of {crops}",
        f"smallest squares that hold a share of it, side in pixels: {sides}",
    )
    return sheet(
        heading,
        [
            [Panel("by each input pixel", heat_map(levels, -DECADES, 0, _FIELD_SIDE))],
            [Panel(f"1e-{DECADES} to 1 of the largest, logarithmic", colour_bar(_FIELD_SIDE))],
        ],
    )
