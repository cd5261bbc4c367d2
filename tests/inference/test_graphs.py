"""Which shapes run by a graph, with a recorder whose measurements are given."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from deblur_cli.inference.graphs import (
    SHAPES,
    TRIED_AT_USE,
    CudaRecorder,
    GraphedNetwork,
    Network,
)


def double(x: Tensor) -> Tensor:
    return x * 2


class FakeRecorder:
    """Replays `graphed` instead of a network and takes `times` to measure, eager first."""

    def __init__(
        self, times: tuple[float, float] = (2.0, 1.0), graphed: Network = double, fails: str = ""
    ) -> None:
        self.times = times
        self.graphed = graphed
        self.fails = fails
        self.captured: list[tuple[int, ...]] = []
        self.replays = 0
        self._measured = 0

    def capture(self, network: Network, x: Tensor) -> Network:
        self.captured.append(tuple(x.shape))
        if self.fails:
            raise RuntimeError(self.fails)

        def replay(x: Tensor) -> Tensor:
            self.replays += 1
            return self.graphed(x)

        return replay

    def milliseconds(self, work: Callable[[], object]) -> float:
        work()
        self._measured += 1
        return self.times[(self._measured - 1) % 2]


def use(network: GraphedNetwork, size: int, times: int = 1) -> None:
    for _ in range(times):
        x = torch.rand((1, 3, size, size))
        assert torch.equal(network(x), x * 2)


def test_a_graph_is_tried_when_a_shape_has_come_often_and_stays_where_it_is_faster() -> None:
    recorder = FakeRecorder()
    network = GraphedNetwork(double, recorder)
    use(network, 8, TRIED_AT_USE - 1)
    assert recorder.captured == []
    use(network, 8)
    assert recorder.captured == [(1, 3, 8, 8)]
    before = recorder.replays
    use(network, 8, 5)
    assert recorder.replays == before + 5
    assert (network.tried, network.kept) == (1, 1)
    assert recorder.captured == [(1, 3, 8, 8)] and network.notes == []


@pytest.mark.parametrize("times", [(1.0, 2.0), (1.0, 1.0)])
def test_a_graph_that_is_no_faster_goes(
    times: tuple[float, float], caplog: pytest.LogCaptureFixture
) -> None:
    recorder = FakeRecorder(times)
    network = GraphedNetwork(double, recorder)
    with caplog.at_level(logging.DEBUG, logger="deblur_cli"):
        use(network, 8, TRIED_AT_USE)
    assert "eager stays" in caplog.text and "(1, 3, 8, 8)" in caplog.text
    before = recorder.replays
    use(network, 8, 10)
    assert recorder.replays == before
    assert (network.tried, network.kept) == (1, 0)
    assert recorder.captured == [(1, 3, 8, 8)]


def test_shapes_are_tried_each_for_itself() -> None:
    recorder = FakeRecorder()
    network = GraphedNetwork(double, recorder)
    for size in (8, 9, 8, 9, 8, 9, 8, 9):
        use(network, size)
    assert recorder.captured == [(1, 3, 8, 8), (1, 3, 9, 9)]


def test_a_capture_that_fails_is_said_once_and_not_tried_again() -> None:
    recorder = FakeRecorder(fails="operation not permitted\nand much more")
    network = GraphedNetwork(double, recorder)
    use(network, 8, 2 * TRIED_AT_USE)
    use(network, 9, 2 * TRIED_AT_USE)
    assert network.notes == [
        "the network runs without CUDA graphs: operation not permitted",
    ]
    assert recorder.captured == [(1, 3, 8, 8)]


@pytest.mark.parametrize("wrong", [lambda x: x * 2 + 0.1, lambda x: x * torch.nan])
def test_a_graph_with_another_result_is_not_used(wrong: Network) -> None:
    network = GraphedNetwork(double, FakeRecorder(graphed=wrong))
    use(network, 8, 3 * TRIED_AT_USE)
    assert len(network.notes) == 1 and "result of one differs" in network.notes[0]
    assert network.kept == 0


def test_no_number_in_both_results_is_agreement() -> None:
    def no_number(x: Tensor) -> Tensor:
        return x * torch.nan

    network = GraphedNetwork(no_number, FakeRecorder(graphed=no_number))
    for _ in range(TRIED_AT_USE):
        network(torch.ones((1, 3, 4, 4)))
    assert network.notes == [] and network.kept == 1


def test_the_least_recently_used_shape_is_forgotten() -> None:
    recorder = FakeRecorder()
    network = GraphedNetwork(double, recorder)
    use(network, 8, TRIED_AT_USE)
    for size in range(20, 20 + SHAPES - 1):
        use(network, size)
    before = recorder.replays
    use(network, 8)
    assert recorder.replays == before + 1
    for size in range(40, 40 + SHAPES):
        use(network, size)
    use(network, 8, TRIED_AT_USE)
    assert recorder.captured == [(1, 3, 8, 8)] * 2


def test_when_memory_is_short_graphs_go_and_do_not_come_back() -> None:
    recorder = FakeRecorder()
    network = GraphedNetwork(double, recorder)
    use(network, 8, TRIED_AT_USE)
    network.give_up()
    before = recorder.replays
    use(network, 8, 2 * TRIED_AT_USE)
    assert recorder.replays == before and len(recorder.captured) == 1


class FakeCuda:
    """The streams of `torch.cuda`, and a capture that fails as torch's does: half undone."""

    def __init__(self) -> None:
        self.current = "computing"
        self.CUDAGraph = SimpleNamespace

    def Stream(self, _device: torch.device) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(wait_stream=lambda _other: None)

    def current_stream(self, _device: torch.device) -> str:
        return self.current

    @contextmanager
    def stream(self, stream: str) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def graph(self, _graph: object, stream: str, **_options: object) -> Iterator[None]:
        self.current = stream
        yield
        raise RuntimeError("operation failed due to a previous error during capture")


def test_after_a_failed_capture_the_stream_is_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = FakeCuda()
    computing = cuda.current = SimpleNamespace(wait_stream=lambda _other: None)
    monkeypatch.setattr(torch, "cuda", cuda)
    network = GraphedNetwork(double, CudaRecorder(torch.device("cuda")))
    use(network, 8, TRIED_AT_USE)
    assert cuda.current is computing
    assert len(network.notes) == 1
