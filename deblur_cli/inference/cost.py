"""What a network costs in memory, measured by watching it restore a small tile."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

PROBE_SIDE = 128
SAFETY = 1.5
"""Allowance for workspaces inside torch's functions, which nobody sees, and for fragmentation."""


def bytes_per_pixel(model: nn.Module, device: torch.device) -> float:
    """Peak bytes of all tensors alive at once in a forward pass, per input pixel, times `SAFETY`.

    Args:
        model: takes `(1,3,H,W)` float32 on `device`.
        device: where it lies.
    """
    live = LiveTensors(itertools.chain(model.parameters(), model.buffers()))
    with torch.inference_mode(), live:
        model(torch.zeros((1, PROBE_SIDE, PROBE_SIDE, 3), device=device).permute(0, 3, 1, 2))
    return SAFETY * live.peak / (PROBE_SIDE * PROBE_SIDE)


class LiveTensors(TorchFunctionMode):
    """Counts the bytes of tensors made under it and not yet freed; `peak` is the largest count.

    Counted by storage, so views cost nothing.

    Args:
        existing: tensors from before, which do not count.
    """

    def __init__(self, existing: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.peak = 0
        self._live = 0
        self._known = weakref.WeakSet(tensor.untyped_storage() for tensor in existing)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch and count what it made."""
        result = func(*args, **(kwargs or {}))
        for made in result if isinstance(result, tuple | list) else (result,):
            if isinstance(made, Tensor):
                self._count(made.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage in self._known:
            return
        self._known.add(storage)
        self._live += storage.nbytes()
        self.peak = max(self.peak, self._live)
        weakref.finalize(storage, self._forget, storage.nbytes())

    def _forget(self, size: int) -> None:
        self._live -= size
