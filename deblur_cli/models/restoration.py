"""What every network looks like from outside: images in, restored images of the same size out."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deblur_cli.models.descriptor import HALVES, Descriptor, SizeRule, Tiling
from deblur_cli.models.footprint import bytes_per_pixel
from deblur_cli.models.mamba import Mamba
from deblur_cli.ops.backends import slow_backend_warning


class Network(nn.Module, ABC):
    """A bare network, with the parameter names and outputs of its release."""

    size_multiple: int
    """Heights and widths are padded to multiples of this."""

    final_output: int = -1
    """Which of the outputs is the result; the release decides their order."""

    padding_mode: Literal["replicate", "reflect"] = "replicate"
    """How images are continued to a size that fits: by their last row and column, or mirrored."""

    half_precision: frozenset[torch.dtype] = HALVES
    """Dtypes besides float32 that it may run in."""

    tiling: Tiling = Tiling()
    """How pictures are best cut for it."""

    @property
    def size_rule(self) -> SizeRule:
        """What images are padded to."""
        return SizeRule(self.size_multiple, self.size_multiple)

    @abstractmethod
    def forward(self, image: Tensor, side_outputs: bool = True) -> list[Tensor]:
        """Restore `(B,3,H,W)` at every scale, or at the last one only; the result may be padded."""

    @abstractmethod
    def set_local_pooling(self, train_size: int | None) -> None:
        """Pool as far as training patches of this side reached; None pools globally."""

    def set_precision(self, dtype: torch.dtype) -> None:
        """Run convolutions and projections in `dtype`."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.to(dtype)
            elif isinstance(module, nn.Linear):  # its bias, where it has one, is the scan's
                module.weight.data = module.weight.data.to(dtype)


class RestorationModel(nn.Module):
    """A restoration network behind one interface.

    `model(x)` takes `(B,3,H,W)` float32 RGB in [0,1] of any size and returns the same shape, dtype
    and nominal range (not clamped). `model.network` is the bare network with its release's outputs.
    """

    def __init__(self, network: Network, name: str, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.network = network
        self.precision = torch.float32
        self._name, self._config = name, dict(config)

    @property
    def descriptor(self) -> Descriptor:
        """What a caller may know of the network."""
        return Descriptor(
            name=self._name,
            config=self._config,
            size=self.network.size_rule,
            parameters=sum(parameter.numel() for parameter in self.network.parameters()),
            half_precision=self.network.half_precision,
            tiling=self.network.tiling,
            memory_per_megapixel=self._memory_per_megapixel,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Restore `(B,3,H,W)`.

        Sides that do not suit the network are continued as its `padding_mode` says, not by the
        black border that the network itself would add, and cropped afterwards. An image that is too
        small to be mirrored is continued by its last row and column.
        """
        height, width = x.shape[-2:]
        rows, columns = self.network.size_rule.fit(height, width)
        right, below = columns - width, rows - height
        mirrors = right < width and below < height
        mode = self.network.padding_mode if mirrors else "replicate"
        padded = F.pad(x, (0, right, 0, below), mode=mode) if right or below else x
        restored: Tensor = self.network(padded, side_outputs=False)[self.network.final_output]
        return restored[..., :height, :width].float()

    def place(self, device: torch.device) -> RestorationModel:
        """Move to `device`, where the weights of 2-D convolutions are stored channels last."""
        self.to(device)
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return self

    def set_precision(self, dtype: torch.dtype) -> RestorationModel:
        """Run convolutions and projections in `dtype`; norms, scan and final residual stay float32.

        The rounding of the weights cannot be undone: load the model again for float32.
        """
        self.network.set_precision(dtype)
        self.precision = dtype
        return self

    def cautions(self, device: torch.device) -> list[str]:
        """What the user should know before it runs on `device`.

        Raises:
            UsageError, DeviceError: as `deblur_cli.ops.resolve_backend`.
        """
        scans = any(isinstance(module, Mamba) for module in self.modules())
        slow = slow_backend_warning(device) if scans else None
        return [] if slow is None else [slow]

    def set_local_pooling(self, train_size: int | None) -> RestorationModel:
        """Pool as far as training patches of this side reached; None pools globally."""
        self.network.set_local_pooling(train_size)
        return self

    def _memory_per_megapixel(self, dtype: torch.dtype, device: torch.device) -> int:
        """As `Descriptor.memory_per_megapixel`; the model itself stays as it is."""
        parameter = next(self.parameters(), None)
        lies_there = parameter is None or parameter.device.type == device.type
        model = self
        if dtype != self.precision or not lies_there:
            model = copy.deepcopy(self).set_precision(dtype).to(device)
        return round(bytes_per_pixel(model, self.network.size_rule, device) * 1e6)
