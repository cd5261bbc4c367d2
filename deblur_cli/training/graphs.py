"""Training steps as CUDA graphs: one launch where the host would need longer than the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor], Sequence[Tensor]]
"""Learns from blurred and sharp patches `(B,3,H,W)`; returns the loss first; all on the device."""

EAGER_STEPS = 3
"""Taken before a shape is recorded: they compile kernels, choose algorithms, make the moments."""

LARGEST_DIFFERENCE = 0.25
"""Of what a graph changes from what a step changes, relative; sums in another order make some."""


class Recorder(Protocol):
    """What is needed of a device."""

    def take(self, step: Step, blurred: Tensor, sharp: Tensor) -> Sequence[Tensor]:
        """Take a step where it can be recorded later, since gradients keep to their stream."""

    def record(self, step: Step, blurred: Tensor, sharp: Tensor) -> Step:
        """The same as `step` for such patches, replayed; RuntimeError if that cannot be."""


class GraphedSteps:
    """Takes steps on a GPU, from the fourth of one shape on by a graph of all their kernels.

    A graph holds the memory of a step. Before it stays, one step is taken both ways, and the two
    must come to the same.
    """

    def __init__(
        self, step: Step, state: Callable[[], list[Tensor]], recorder: Recorder | None = None
    ) -> None:
        """Take the step.

        Args:
            step: nothing in it may wait for the device.
            state: everything on the device that a step changes.
            recorder: another device than the current GPU.
        """
        self.refused = ""
        """Why steps are launched kernel by kernel after all."""
        self._step, self._state = step, state
        self._recorder = recorder or CudaRecorder()
        self._shape: torch.Size | None = None
        self._eager_steps = 0
        self._replay: Step | None = None

    def __call__(self, blurred: Tensor, sharp: Tensor) -> Sequence[Tensor]:
        """Learn from patches; returns what the step returns."""
        if blurred.shape != self._shape:
            self._shape, self._eager_steps, self._replay = blurred.shape, 0, None
        if self._replay is not None:
            return self._replay(blurred, sharp)
        if self.refused or self._eager_steps < EAGER_STEPS:
            self._eager_steps += 1
            return self._recorder.take(self._step, blurred, sharp)
        return self._take_both_ways(blurred, sharp)

    def _take_both_ways(self, blurred: Tensor, sharp: Tensor) -> Sequence[Tensor]:
        """Record a step and keep the graph if it does what the step does."""
        before = [tensor.clone() for tensor in self._state()]
        found = self._recorder.take(self._step, blurred, sharp)
        after = [tensor.clone() for tensor in self._state()]
        try:
            replay = self._recorder.record(self._step, blurred, sharp)
        except RuntimeError as error:
            self.refused = str(error).splitlines()[0]
            return found
        self._restore(before)
        replayed = replay(blurred, sharp)
        difference = _distance(self._state(), after) / _distance(before, after)
        if not difference <= LARGEST_DIFFERENCE or not replayed[0].allclose(found[0], rtol=0.01):
            self.refused = f"they would learn otherwise by {100 * difference:.0f} %"
            self._restore(after)
            return found
        self._replay = replay
        return replayed

    def _restore(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(self._state(), values)


def _distance(some: list[Tensor], others: list[Tensor]) -> float:
    """Length of the difference of two states; above 0."""
    with torch.no_grad():
        squares = [
            (one.double() - other).square().sum() for one, other in zip(some, others, strict=True)
        ]
    return float(torch.stack(squares).sum().sqrt()) + 1e-30


class CudaRecorder:
    """Takes and records steps on a stream of its own of the current GPU."""

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def take(self, step: Step, blurred: Tensor, sharp: Tensor) -> Sequence[Tensor]:
        """Take a step in its turn."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            found = step(blurred, sharp)
        torch.cuda.current_stream().wait_stream(self._stream)
        return found

    def record(self, step: Step, blurred: Tensor, sharp: Tensor) -> Step:
        """A replay on its own copy of the patches."""
        own_blurred, own_sharp = blurred.clone(), sharp.clone()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            found = step(own_blurred, own_sharp)

        def replay(blurred: Tensor, sharp: Tensor) -> Sequence[Tensor]:
            own_blurred.copy_(blurred)
            own_sharp.copy_(sharp)
            graph.replay()
            return [one.clone() for one in found]

        return replay
