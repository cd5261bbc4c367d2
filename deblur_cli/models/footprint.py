"""What a network costs in memory, measured by watching it restore a small picture."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from deblur_cli.models.descriptor import SizeRule
from deblur_cli.models.layers import AveragePool

PROBE_SIDE = 128


def bytes_per_pixel(model: nn.Module, size: SizeRule, device: torch.device) -> float:
    """Peak bytes of all tensors alive at once in a forward pass, per input pixel.

    The result holds for every size: maps grow with the picture, and windows of local pooling are
    made smaller with the probe, so that they reach as little of it as of a large picture.

    Args:
        model: takes `(1,3,H,W)` float32 on `device`.
        size: what it works on.
        device: where it lies.
    """
    height, width = size.fit(PROBE_SIDE, PROBE_SIDE)
    live = LiveTensors(itertools.chain(model.parameters(), model.buffers()))
    with torch.inference_mode(), _windows_of_at_most(height // 2, model), live:
        model(torch.zeros((1, height, width, 3), device=device).permute(0, 3, 1, 2))
    return live.peak / (height * width)


@contextmanager
def _windows_of_at_most(side: int, model: nn.Module) -> Iterator[None]:
    """Halve all pooling windows until the largest is no wider than `side`."""
    windows = {
        pool: pool.window
        for pool in model.modules()
        if isinstance(pool, AveragePool) and pool.window is not None
    }
    largest = max((max(window) for window in windows.values()), default=0)
    halvings = next(n for n in itertools.count() if largest >> n <= side)
    for pool, (height, width) in windows.items():
        pool.window = max(height >> halvings, 1), max(width >> halvings, 1)
    try:
        yield
    finally:
        for pool, window in windows.items():
            pool.window = window


class LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors made under it and not yet freed; `peak` is the largest count.

    Counted by storage, so views cost nothing.

    Args:
        existing: tensors from before, which do not count.
    """

    def __init__(self, existing: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._live = 0
        self._known = weakref.WeakSet(tensor.untyped_storage() for tensor in existing)

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a kernel of torch and count what it made."""
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
