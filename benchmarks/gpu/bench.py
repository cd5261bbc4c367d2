"""What every section is given: the device, the sizes, a place for its findings, and a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.gpu.events import Check, Event, Skipped
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.timing import Call, as_graph, milliseconds

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


class DeviceLostError(Exception):
    """The device answers nothing any more, as after an illegal memory access."""


@dataclass
class Bench:
    """The surroundings of a section.

    Attributes:
        samples: real pictures, made by `benchmarks.gpu_samples`; need not exist.
        record: takes every finding at once, so that nothing is lost if the section ends badly.
        deadline: when the section should have ended, by `time.monotonic`.
    """

    device: torch.device
    sizes: Sizes
    samples: Path
    record: Callable[[Event], None]
    deadline: float

    def out_of_time(self, what: str) -> bool:
        """Whether the deadline has passed; then `what` is on record as skipped."""
        late = time.monotonic() > self.deadline
        if late:
            self.record(Skipped(what, "out of time"))
        return late

    def check(
        self, group: str, name: str, error: Callable[[], float], tolerance: float = 0.0
    ) -> None:
        """Record whether `error()` is at most `tolerance`; an exception or NaN is a failure."""
        with self.attempt(group, name):
            found = error()
            detail = f"{found:.2e} (tolerance {tolerance:.1e})" if tolerance else f"{found:g} wrong"
            self.record(Check(group, name, found <= tolerance, detail))

    @contextmanager
    def attempt(self, group: str, name: str) -> Iterator[None]:
        """Turn an exception into a failed check, and go on if the device still answers.

        Raises:
            DeviceLostError: it does not.
        """
        try:
            yield
        except Exception as error:
            self.record(Check(group, name, False, describe(error)))
            try:
                self.synchronize()
            except RuntimeError as lost:
                raise DeviceLostError(describe(lost)) from error
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def milliseconds(self, *calls: Call) -> float:
        """Median time of one of `calls`, taken in turn."""
        return milliseconds(self.device, calls, self.sizes.seconds, self.sizes.runs)

    def graph_milliseconds(self, group: str, name: str, calls: Sequence[Call]) -> float | None:
        """Time of one of `calls` in a CUDA graph of all; None, a failed check, if it has none."""
        with self.attempt(group, f"{name}, as a graph"):
            return self.milliseconds(as_graph(calls)) / len(calls)
        return None

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def describe(error: BaseException) -> str:
    """Kind and first line of an exception."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def dtype_name(dtype: torch.dtype) -> str:
    """`float32` for `torch.float32`."""
    return str(dtype).removeprefix("torch.")
