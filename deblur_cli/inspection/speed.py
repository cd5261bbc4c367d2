"""How long a network takes for a picture on this machine, and how much memory."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from deblur_cli.errors import RestoreError
from deblur_cli.inference.allocator import reuse_freed_memory
from deblur_cli.inference.cost import LiveTensors, bytes_per_pixel
from deblur_cli.inference.device import resolve_device
from deblur_cli.inference.engine import Deblurrer, Restoration
from deblur_cli.inference.free_memory import free_memory
from deblur_cli.inference.memory import ran_out_of_memory
from deblur_cli.inference.precision import choose_dtype, dtype_name
from deblur_cli.inference.samples import Image
from deblur_cli.models import RestorationModel

Size = tuple[int, int]
"""Height and width in pixels."""

ENOUGH_SECONDS = 10.0
"""A bare network is not run again when its runs would take longer than this."""


@dataclass(frozen=True)
class Restoring:
    """Pictures restored as `deblur run` restores them, files aside."""

    seconds: tuple[float, ...]
    """Of each run, after one that is not counted."""
    last: Restoration
    peak_bytes: int | None
    """On a GPU of all tensors there, on a CPU of the whole program; None where nobody can tell."""

    @property
    def median(self) -> float:
        """Seconds of one picture."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Forward:
    """One bare network on one whole picture."""

    seconds: float
    """Median."""
    peak_bytes: int
    """Of all tensors alive at once, parameters included."""
    dtype: str


def time_restoring(deblurrer: Deblurrer, device: str, size: Size, runs: int) -> Restoring:
    """Restore a drawn picture some times.

    Args:
        deblurrer: on that device.
        device: as `--device`.
        size: of the picture.
        runs: how many are counted.

    Raises:
        RestoreError: memory does not suffice.
    """
    place = resolve_device(device)
    picture = draw_picture(size)
    _reset_peak(place)
    seconds = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        last = deblurrer.restore(picture)
        seconds.append(time.perf_counter() - started)
    return Restoring(tuple(seconds[1:]), last, _peak(place))


def time_forward(
    model: RestorationModel, device: str, dtype: str, size: Size, runs: int
) -> Forward:
    """Run a network on a whole picture.

    Args:
        model: float32, on the CPU; is moved and rounded.
        device: as `--device`.
        dtype: as `--dtype`.
        size: of the picture.
        runs: how many are counted at most; fewer if they are slow.

    Raises:
        RestoreError: the picture does not fit into memory.
        DeviceError, UsageError: there is no such device or dtype.
    """
    place = resolve_device(device)
    if place.type == "cpu":
        reuse_freed_memory()
    precision = choose_dtype(dtype, place, model)
    if precision != torch.float32:
        model.set_precision(precision)
    model.place(place)
    needed = int(bytes_per_pixel(model, place) * size[0] * size[1])  # its probe is the warm-up
    if needed > free_memory(place):
        raise _too_large(needed, place)
    seconds: list[float] = []
    try:
        with torch.inference_mode(), _watching(place, model) as peak:
            seconds.append(_run(model, place, size))
            while len(seconds) < runs and sum(seconds) + seconds[0] < ENOUGH_SECONDS:
                seconds.append(_run(model, place, size))
    except Exception as error:
        if not ran_out_of_memory(error):
            raise
        raise _too_large(needed, place) from error
    return Forward(statistics.median(seconds), peak[0], dtype_name(precision))


def draw_picture(size: Size) -> Image:
    """A smooth random picture `(H,W,3)` uint8, always the same."""
    height, width = size
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (height // 32 + 2, width // 32 + 2, 3), dtype=np.uint8)
    picture: Image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return picture


def _run(model: RestorationModel, device: torch.device, size: Size) -> float:
    picture = torch.full((1, *size, 3), 0.5, device=device).permute(0, 3, 1, 2)
    started = time.perf_counter()
    model(picture)[0, 0, 0, 0].item()  # waits for the device
    return time.perf_counter() - started


def _too_large(needed: int, device: torch.device) -> RestoreError:
    return RestoreError(f"takes about {needed / 2**30:.1f} GiB on '{device}', which are not free")


@contextmanager
def _watching(device: torch.device, model: RestorationModel) -> Iterator[list[int]]:
    """Bytes alive at most within the block, in the list after it."""
    peak = [0]
    if device.type == "cuda":
        _reset_peak(device)
        yield peak
        peak[0] = _peak(device) or 0
        return
    live = LiveTensors(model.parameters())
    with live:
        yield peak
    peak[0] = live.peak + sum(x.numel() * x.element_size() for x in model.parameters())


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if device.type != "cpu" or sys.platform == "win32":
        return None
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
