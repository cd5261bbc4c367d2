"""How long a call takes on the device, and how much memory it holds there."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch

Call = Callable[[], object]

MOST_RUNS = 100


def milliseconds(device: torch.device, calls: Sequence[Call], seconds: float, fewest: int) -> float:
    """Median time of one call.

    Args:
        device: by its own clock (events on a GPU).
        calls: taken in turn; give each its own inputs where one's would stay in the cache.
        seconds: how long to measure, about.
        fewest: calls that are timed, however long they take.
    """
    for call in (*calls, calls[0]):
        call()
    estimate = max(_timed(device, calls[:1])[0], 1e-3)
    runs = min(MOST_RUNS, max(fewest, int(1e3 * seconds / estimate)))
    return statistics.median(_timed(device, [calls[i % len(calls)] for i in range(runs)]))


def _timed(device: torch.device, calls: Sequence[Call]) -> list[float]:
    return _by_events(calls) if device.type == "cuda" else _by_host_clock(calls)


def _by_events(calls: Sequence[Call]) -> list[float]:
    torch.cuda.synchronize()
    pairs = []
    for call in calls:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        end.record()
        pairs.append((start, end))
    torch.cuda.synchronize()
    return [start.elapsed_time(end) for start, end in pairs]


def _by_host_clock(calls: Sequence[Call]) -> list[float]:
    times = []
    for call in calls:
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def as_graph(calls: Sequence[Call]) -> Call:
    """All calls, one after the other, as one CUDA graph: time on the device without launch gaps.

    Raises:
        RuntimeError: something in them cannot be captured.
    """
    warm_up = torch.cuda.Stream()
    warm_up.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(warm_up):
        for call in calls:
            call()
    torch.cuda.current_stream().wait_stream(warm_up)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for call in calls:
            call()
    return graph.replay


def cache_bytes(device: torch.device) -> int:
    """Size of the device's last-level cache; 64 MiB where torch does not say."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return int(getattr(properties, "L2_cache_size", 64 << 20))
    return 1


def peak_mebibytes(device: torch.device, call: Call) -> float | None:
    """Largest amount of memory that tensors hold during a call, parameters and inputs included."""
    if device.type != "cuda":
        call()
        return None
    torch.cuda.reset_peak_memory_stats(device)
    call()
    torch.cuda.synchronize(device)
    return float(torch.cuda.max_memory_allocated(device)) / 2**20
