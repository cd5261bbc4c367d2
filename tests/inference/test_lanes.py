"""Samples arrive as they left; the CUDA lane is driven with stand-ins for streams and events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deblur_cli.inference.lanes import CudaLane, DirectLane, Lane, lane_to

CPU = torch.device("cpu")
DTYPES = (np.uint8, np.uint16, np.float32)


class FakeCuda:
    """Notes what is queued where; work is done at once, on the CPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[tuple[str, ...]] = []
        self._made = iter(("inward", "outward"))
        self._current = ["computing"]
        monkeypatch.setattr(torch.cuda, "Stream", lambda device: FakeStream(self, next(self._made)))
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: FakeStream(self))
        monkeypatch.setattr(torch.cuda, "stream", self._within)
        monkeypatch.setattr(torch.cuda, "Event", lambda blocking: FakeEvent(self))
        monkeypatch.setattr(
            Tensor, "record_stream", lambda x, stream: self.log.append(("keep for", stream.name))
        )
        real_empty, real_to, real_copy = torch.empty, Tensor.to, Tensor.copy_

        def empty(*args: Any, pin_memory: bool = False, **kwargs: Any) -> Tensor:
            assert pin_memory
            return real_empty(*args, **kwargs)

        def to(x: Tensor, *args: Any, non_blocking: bool = False, **kwargs: Any) -> Tensor:
            if non_blocking:
                self.log.append(("copy", self.current))
                return x.clone()
            return real_to(x, *args, **kwargs)

        def copy(x: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
            assert non_blocking and source.is_contiguous()
            self.log.append(("copy", self.current))
            return real_copy(x, source)

        monkeypatch.setattr(torch, "empty", empty)
        monkeypatch.setattr(Tensor, "to", to)
        monkeypatch.setattr(Tensor, "copy_", copy)

    @property
    def current(self) -> str:
        return self._current[-1]

    @contextmanager
    def _within(self, stream: FakeStream) -> Iterator[None]:
        self._current.append(stream.name)
        yield
        self._current.pop()


class FakeStream:
    def __init__(self, cuda: FakeCuda, name: str = "") -> None:
        self._cuda = cuda
        self.name = name or cuda.current

    def wait_stream(self, other: FakeStream) -> None:
        self._cuda.log.append((self.name, "waits for", other.name))


class FakeEvent:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda

    def record(self, stream: FakeStream) -> None:
        self._cuda.log.append(("mark", stream.name))

    def synchronize(self) -> None:
        self._cuda.log.append(("host waits",))


def tiles(dtype: type, count: int = 2) -> list[np.ndarray]:
    picture = np.random.default_rng(0).random((6, 10, 3)) * (
        1 if dtype == np.float32 else np.iinfo(dtype).max
    )
    return [picture.astype(dtype)[:, left : left + 4] for left in range(count)]


@pytest.fixture(params=["direct", "cuda"])
def lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Lane:
    if request.param == "direct":
        return DirectLane(CPU)
    FakeCuda(monkeypatch)
    return CudaLane(CPU)


@pytest.mark.parametrize("dtype", DTYPES)
def test_samples_become_a_batch_and_come_back(lane: Lane, dtype: type) -> None:
    sent = tiles(dtype)
    batch = lane.upload(sent)
    assert batch.shape == (2, 3, 6, 4) and batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= batch.min() < batch.max() <= 1
    sample_dtype = getattr(torch, np.dtype(dtype).name)
    for tile, values in zip(sent, batch, strict=True):
        arrived = lane.fetch_samples(values.permute(1, 2, 0), sample_dtype).wait()
        np.testing.assert_array_equal(arrived, tile)
        assert arrived.dtype == dtype


def test_the_picture_itself_is_not_touched(lane: Lane) -> None:
    (tile,) = tiles(np.float32, 1)
    before = tile.copy()
    tile.flags.writeable = False
    lane.upload([tile, tile[:, ::-1]]).add_(1)
    np.testing.assert_array_equal(tile, before)


def test_verdicts_come_as_they_are(lane: Lane) -> None:
    assert lane.fetch(torch.tensor([True, False])).wait().tolist() == [True, False]


def test_an_upload_waits_for_nothing_and_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch)
    CudaLane(CPU).upload(tiles(np.uint8))
    assert cuda.log == [
        ("copy", "inward"),
        ("computing", "waits for", "inward"),
        ("keep for", "computing"),
    ]


def test_a_download_waits_for_the_work_before_it_and_the_host_only_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = FakeCuda(monkeypatch)
    arriving = CudaLane(CPU).fetch(torch.rand((4, 6)).t())
    assert cuda.log == [
        ("outward", "waits for", "computing"),
        ("copy", "outward"),
        ("keep for", "outward"),
        ("mark", "outward"),
    ]
    cuda.log.clear()
    arriving.wait()
    assert cuda.log == [("host waits",)]


def test_each_device_has_its_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCuda(monkeypatch)
    assert lane_to(CPU).ahead == lane_to(torch.device("mps")).ahead == 0
    assert lane_to(torch.device("cuda", 1)).ahead == 1
