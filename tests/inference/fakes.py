"""Small models with the interface of a `RestorationModel`, each with one behaviour to test."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from deblur_cli.models import Descriptor, RestorationModel, SizeRule, Tiling
from deblur_cli.models.descriptor import HALVES
from deblur_cli.models.footprint import bytes_per_pixel


class FakeModel(RestorationModel):
    """Applies `function` to the input; `precision` is what `set_precision` last asked for."""

    half_precision = HALVES
    tiling = Tiling()
    square = False

    def __init__(self, function: Callable[[Tensor], Tensor], size_multiple: int = 1) -> None:
        nn.Module.__init__(self)
        self.function = function
        self.precision = torch.float32
        self.pooling: int | None = None
        self.size_multiple = size_multiple

    @property
    def descriptor(self) -> Descriptor:
        size = SizeRule(self.size_multiple, square=self.square)

        def memory(dtype: torch.dtype, device: torch.device) -> int:
            return round(bytes_per_pixel(self, size, device) * 1e6)

        return Descriptor("fake", {}, size, 0, self.half_precision, self.tiling, memory)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)

    def set_precision(self, dtype: torch.dtype) -> RestorationModel:
        self.precision = dtype
        return self

    def set_local_pooling(self, train_size: int | None) -> RestorationModel:
        self.pooling = train_size
        return self


class NaNBelowFloat32(FakeModel):
    """The identity in float32, NaN in any other precision."""

    def __init__(self) -> None:
        super().__init__(lambda x: x)

    def forward(self, x: Tensor) -> Tensor:
        return x if self.precision == torch.float32 else x * torch.nan


class OutOfMemoryAbove(FakeModel):
    """The identity up to a number of pixels, the CPU allocator's error above."""

    def __init__(self, pixels: int, size_multiple: int = 1) -> None:
        super().__init__(lambda x: x, size_multiple)
        self.pixels = pixels
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if x.shape[-1] * x.shape[-2] > self.pixels:
            torch.empty(1 << 60, dtype=torch.uint8)
        return x


def convolution(size: int = 5) -> FakeModel:
    """A fixed convolution over every channel with replicated borders."""
    generator = torch.Generator().manual_seed(0)
    kernel = torch.rand((1, 1, size, size), generator=generator)
    kernel = (kernel / kernel.sum()).expand(3, 1, size, size)

    def apply(x: Tensor) -> Tensor:
        padded = nn.functional.pad(x, (size // 2,) * 4, mode="replicate")
        return nn.functional.conv2d(padded, kernel, groups=3)

    return FakeModel(apply)
