"""CUDA graphs: all kernels of a network as one launch, for shapes that come again.

A graph saves the host the time of launching some thousand kernels, and the device the waiting in
between; it is bound to one shape and holds the memory of a pass. So each shape is tried out once it
has come a few times, and the graph stays only where it measures faster.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakSet

import torch
from torch import Tensor

from deblur_cli.inference.allocator import CUDA_ALLOCATOR

LOG = logging.getLogger(__name__)

Network = Callable[[Tensor], Tensor]

TRIED_AT_USE = 4
"""A shape that comes this often will come again; the passes before have warmed everything up."""

WORTHWHILE = 1.03
"""A graph stays if it is at least this many times as fast."""

LARGEST_DIFFERENCE = 0.02
"""Kernels may add up in another order; images in [0,1] that differ by more are not the same."""

SHAPES = 8
"""Shapes remembered; the least recently used is forgotten first, with its graph."""


class Recorder(Protocol):
    """What is needed of a device."""

    def capture(self, network: Network, x: Tensor) -> Network:
        """The same as `network` for inputs like `x`, replayed; RuntimeError if that cannot be."""

    def milliseconds(self, work: Callable[[], object]) -> float:
        """How long the device takes for it, launching included."""


@dataclass
class _Shape:
    """What is known of a shape."""

    uses: int = 0
    replay: Network | None = None


class GraphedNetwork:
    """Calls a network, by its graph where that is faster.

    Args:
        network: `(B,3,H,W)` to the same shape, without waiting for the device.
        recorder: of the network's device.
    """

    def __init__(self, network: Network, recorder: Recorder) -> None:
        self._network = network
        self._recorder = recorder
        self._shapes: OrderedDict[torch.Size, _Shape] = OrderedDict()
        self._trusted = True
        self.notes: list[str] = []
        """What went wrong, for the user; whoever reads it empties it."""

        self.tried = 0
        """Shapes for which a graph was tried out."""
        self.kept = 0
        """Shapes for which it was faster."""

    def __call__(self, x: Tensor) -> Tensor:
        """As `network`."""
        shape = self._shapes.setdefault(x.shape, _Shape())
        self._shapes.move_to_end(x.shape)
        if len(self._shapes) > SHAPES:
            self._shapes.popitem(last=False)
        shape.uses += 1
        if shape.uses == TRIED_AT_USE and self._trusted:
            shape.replay = self._try_out(x)
        return (shape.replay or self._network)(x)

    def give_up(self) -> None:
        """Free the memory of all graphs, and make no others."""
        self._shapes.clear()
        self._trusted = False

    def _try_out(self, x: Tensor) -> Network | None:
        """The graph for inputs like `x`, if it is worth its memory; the host waits meanwhile."""
        self.tried += 1
        try:
            replay = self._recorder.capture(self._network, x)
            agree = torch.allclose(
                replay(x), self._network(x), rtol=0, atol=LARGEST_DIFFERENCE, equal_nan=True
            )
        except RuntimeError as error:
            self._distrust(str(error).splitlines()[0])
            return None
        if not agree:
            self._distrust("the result of one differs")
            return None
        eager = self._recorder.milliseconds(lambda: self._network(x))
        graphed = self._recorder.milliseconds(lambda: replay(x))
        faster = eager >= WORTHWHILE * graphed
        LOG.debug(
            "shape %s: %.2f ms eager, %.2f ms as a CUDA graph; %s stays",
            tuple(x.shape),
            eager,
            graphed,
            "the graph" if faster else "eager",
        )
        self.kept += faster
        return replay if faster else None

    def _distrust(self, reason: str) -> None:
        self.give_up()
        self.notes.append(f"the network runs without CUDA graphs: {reason}")


class CudaRecorder:
    """Records and times on one CUDA device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._graphs: WeakSet[torch.cuda.CUDAGraph] = WeakSet()

    def capture(self, network: Network, x: Tensor) -> Network:
        """As `Recorder`. All graphs share their memory: one runs at a time, and its result is
        copied before the next one does.
        """
        held = x.clone()
        computing = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(computing)
        with torch.cuda.stream(self._stream):
            network(held)
        computing.wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        pool = next((other.pool() for other in self._graphs), None)
        with (
            CUDA_ALLOCATOR,
            torch.cuda.stream(computing),  # a capture that fails leaves its own stream current
            torch.cuda.graph(
                graph, pool=pool, stream=self._stream, capture_error_mode="thread_local"
            ),
        ):
            result = network(held)
        self._graphs.add(graph)

        def replay(x: Tensor) -> Tensor:
            held.copy_(x)
            graph.replay()
            return result.clone()

        return replay

    def milliseconds(self, work: Callable[[], object]) -> float:
        """As `Recorder`; the device is idle before, so that the launches count."""
        torch.cuda.synchronize(self._device)
        start, end = (
            torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            for _ in range(2)
        )
        start.record()
        work()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end))
