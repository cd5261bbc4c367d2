"""The way of samples to a device and back: at once, or on streams beside the computation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deblur_cli.inference.allocator import CUDA_ALLOCATOR
from deblur_cli.inference.samples import Image, from_unit, to_unit, torch_dtype


class Arriving(Protocol):
    """Values on their way to the host."""

    def wait(self) -> npt.NDArray[Any]:
        """The values, once they are there."""


class Lane(Protocol):
    """How a device gets tiles and gives back results."""

    @property
    def ahead(self) -> int:
        """Batches that may be under way on the device while the host waits for an earlier one."""

    def computing(self) -> AbstractContextManager[Any]:
        """Within it the device is the current one of this thread."""

    def upload(self, tiles: Sequence[Image]) -> Tensor:
        """Equal tiles `(h,w,3)` as a channels_last batch `(B,3,h,w)` float32 in [0,1]."""

    def fetch(self, values: Tensor) -> Arriving:
        """Bring values of the device to the host."""

    def fetch_samples(self, values: Tensor, dtype: torch.dtype) -> Arriving:
        """Bring float32 values to the host, clipped to [0,1] and rounded to samples of `dtype`."""

    def release(self) -> None:
        """Give memory back to the device that is kept for later."""


def lane_to(device: torch.device) -> Lane:
    """The fastest way to a device."""
    return CudaLane(device) if device.type == "cuda" else DirectLane(device)


class Arrived:
    """Values that are on the host already."""

    def __init__(self, values: Tensor) -> None:
        self._values = values

    def wait(self) -> npt.NDArray[Any]:
        """The values."""
        return self._values.numpy()


class DirectLane:
    """The host waits for everything; samples are converted on the host."""

    ahead = 0

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def computing(self) -> AbstractContextManager[Any]:
        """Nothing is to be done."""
        return nullcontext()

    def upload(self, tiles: Sequence[Image]) -> Tensor:
        """As `Lane`."""
        return to_unit(torch.from_numpy(np.stack(tiles))).to(self._device)

    def fetch(self, values: Tensor) -> Arriving:
        """As `Lane`."""
        return Arrived(values.cpu())

    def fetch_samples(self, values: Tensor, dtype: torch.dtype) -> Arriving:
        """As `Lane`."""
        return Arrived(from_unit(values.cpu(), dtype))

    def release(self) -> None:
        """As `Lane`; nothing is kept."""


class CudaLane:
    """Copies run on two streams of their own, from and to pinned memory, and nobody waits for them.

    The work on the device is queued on this thread's current stream, which waits for an upload
    where it is used; a download waits for the work queued before it. Torch keeps freed pinned
    memory for the next copy of its size, and not before the last one is done: it takes turns.
    """

    ahead = 1

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._inward = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._outward = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def computing(self) -> AbstractContextManager[Any]:
        """As `Lane`."""
        return torch.cuda.device(self._device)

    def upload(self, tiles: Sequence[Image]) -> Tensor:
        """As `Lane`; samples travel as they are and become float32 on the device."""
        height, width, channels = tiles[0].shape
        pinned = torch.empty(
            (len(tiles), height, width, channels),
            dtype=torch_dtype(tiles[0].dtype),
            pin_memory=True,
        )
        np.stack(tiles, out=pinned.numpy())
        with torch.cuda.stream(self._inward):
            samples = pinned.to(self._device, non_blocking=True)
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._inward)
        samples.record_stream(computing)
        return to_unit(samples)

    def fetch(self, values: Tensor) -> Arriving:
        """As `Lane`."""
        values = values.contiguous()
        self._outward.wait_stream(torch.cuda.current_stream(self._device))
        pinned = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        with torch.cuda.stream(self._outward):
            pinned.copy_(values, non_blocking=True)
        values.record_stream(self._outward)
        return _Downloading(pinned, self._outward)

    def fetch_samples(self, values: Tensor, dtype: torch.dtype) -> Arriving:
        """As `Lane`; rounded on the device."""
        return self.fetch(from_unit(values, dtype))

    def release(self) -> None:
        """As `Lane`."""
        with CUDA_ALLOCATOR:
            torch.cuda.empty_cache()


class _Downloading:
    """A copy into pinned memory, the last thing queued on a stream so far."""

    def __init__(self, pinned: Tensor, stream: torch.cuda.Stream) -> None:
        self._pinned = pinned
        self._done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        self._done.record(stream)

    def wait(self) -> npt.NDArray[Any]:
        """The values; the thread sleeps until they are there."""
        self._done.synchronize()
        return self._pinned.numpy()
