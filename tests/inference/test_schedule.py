"""Batches and work ahead change nothing but the order in which the host looks at them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deblur_cli.errors import RestoreError
from deblur_cli.inference import engine
from deblur_cli.inference.engine import Deblurrer, Restoration
from deblur_cli.inference.lanes import Arriving, DirectLane
from deblur_cli.inference.samples import Image
from deblur_cli.inference.tile_size import TileSize
from tests.inference.fakes import FakeModel, NaNBelowFloat32

OVERLAP = 8


class QueueLane(DirectLane):
    """A device that does nothing before the host waits; `log` says what was asked of it."""

    ahead = 1

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))
        self.log: list[str] = []
        self.released = 0
        self._uploads = 0

    def upload(self, tiles: Sequence[Image]) -> Tensor:
        self.log.append(f"upload {self._uploads}")
        self._uploads += 1
        return super().upload(tiles)

    def fetch(self, values: Tensor) -> Arriving:
        return _Later(
            self, f"verdict {self._uploads - 1}", lambda: super(QueueLane, self).fetch(values)
        )

    def fetch_samples(self, values: Tensor, dtype: torch.dtype) -> Arriving:
        held = values.clone()
        values.fill_(torch.nan)
        return _Later(self, "rows", lambda: super(QueueLane, self).fetch_samples(held, dtype))

    def release(self) -> None:
        self.released += 1


class _Later:
    def __init__(self, lane: QueueLane, what: str, fetch: Callable[[], Arriving]) -> None:
        self._lane, self._what, self._fetch = lane, what, fetch

    def wait(self) -> Any:
        self._lane.log.append(f"wait for {self._what}")
        return self._fetch().wait()


def queued(
    model: FakeModel, tile: int = 0, at_once: int = 0, **options: Any
) -> tuple[Deblurrer, QueueLane]:
    """A deblurrer on a `QueueLane`, whose batches have up to `at_once` pixels."""
    lane = QueueLane()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "lane_to", lambda device: lane)
        deblurrer = direct(model, tile, **options)
    deblurrer._tiles = TileSize(tile or None, OVERLAP, model.descriptor.size_multiple, at_once)
    return deblurrer, lane


def direct(model: FakeModel, tile: int = 0, **options: Any) -> Deblurrer:
    return Deblurrer(
        model, device="cpu", tile=tile, overlap=OVERLAP, **{"dtype": "float32", **options}
    )


def coupled_by_mean(x: Tensor) -> Tensor:
    """Depends on the whole image, and on no other."""
    return 0.8 * x + 0.2 * x.mean((1, 2, 3), keepdim=True)


def pictures(*sizes: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (*size, 3), np.uint8, endpoint=True) for size in sizes]


def facts(restoration: Restoration) -> tuple[Any, ...]:
    return (
        restoration.image.shape,
        restoration.image.tobytes(),
        restoration.tile,
        restoration.tiles,
        restoration.redone,
        restoration.kept,
        restoration.warnings,
    )


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(1, 120), st.integers(1, 120)), max_size=4),
    st.sampled_from([0, 64, 72]),
    st.integers(0, 30000),
    st.booleans(),
)
def test_a_stream_gives_what_single_pictures_give_in_order(
    sizes: list[tuple[int, int]], tile: int, at_once: int, match_mean: bool
) -> None:
    images = pictures(*sizes)
    options = {"advice": {"match_mean": match_mean}}
    plain = direct(FakeModel(coupled_by_mean), tile, **options)
    expected = [facts(plain.restore(image, 0.7)) for image in images]
    deblurrer, _ = queued(FakeModel(coupled_by_mean), tile, at_once, **options)
    assert [facts(each) for each in deblurrer.stream(images, 0.7)] == expected
    assert [facts(each) for each in plain.stream(iter(images), 0.7)] == expected


def test_the_next_batch_is_launched_before_the_last_one_is_waited_for() -> None:
    deblurrer, lane = queued(FakeModel(lambda x: x))
    assert len(list(deblurrer.stream(pictures(*[(9, 9)] * 4)))) == 4
    order = {what: index for index, what in enumerate(lane.log) if what != "wait for rows"}
    for batch in range(3):
        assert order[f"upload {batch + 1}"] < order[f"wait for verdict {batch}"]
    for batch in range(2):
        assert order[f"wait for verdict {batch}"] < order[f"upload {batch + 2}"]
    rows = [index for index, what in enumerate(lane.log) if what == "wait for rows"]
    assert rows[0] > order["upload 2"]


def test_on_the_direct_lane_a_result_comes_before_the_next_picture_is_asked_for() -> None:
    asked = 0

    def frames() -> Any:
        nonlocal asked
        for image in pictures((5, 5), (6, 6), (7, 7)):
            asked += 1
            yield image

    results = direct(FakeModel(lambda x: x)).stream(frames())
    for expected in (1, 2, 3):
        next(results)
        assert asked == expected


def test_tiles_of_a_row_go_through_the_network_together() -> None:
    shapes: list[tuple[int, ...]] = []

    def note(x: Tensor) -> Tensor:
        shapes.append(tuple(x.shape))
        return x

    (image,) = pictures((64, 64 + 5 * 56))
    deblurrer, _ = queued(FakeModel(note), tile=64, at_once=4 * 64 * 64)
    restoration = deblurrer.restore(image)
    assert shapes == [(4, 3, 64, 64), (2, 3, 64, 64)]
    assert restoration.tiles == 6
    np.testing.assert_array_equal(restoration.image, image)


def test_small_pictures_of_one_size_go_through_the_network_together() -> None:
    shapes: list[tuple[int, ...]] = []

    def note(x: Tensor) -> Tensor:
        shapes.append(tuple(x.shape))
        return x

    images = pictures(*[(40, 40)] * 5, (40, 48), (40, 40))
    deblurrer, _ = queued(FakeModel(note), at_once=3 * 40 * 40)
    results = [each.image for each in deblurrer.stream(images)]
    assert [(x[0], *x[2:]) for x in shapes] == [(3, 40, 40), (2, 40, 40), (1, 40, 48), (1, 40, 40)]
    for result, image in zip(results, images, strict=True):
        np.testing.assert_array_equal(result, image)


def test_short_of_memory_fewer_small_pictures_go_together() -> None:
    def network(x: Tensor) -> Tensor:
        if len(x) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return x

    images = pictures(*[(40, 40)] * 9)
    deblurrer, _ = queued(FakeModel(network), at_once=8 * 40 * 40)
    found = list(deblurrer.stream(images))
    assert [each.image.tobytes() for each in found] == [image.tobytes() for image in images]
    notes = [note for each in found for note in each.warnings]
    assert notes == [f"out of memory: {n} tiles at a time cut to {n // 2}" for n in (8, 4)]


def test_one_bad_tile_of_a_batch_is_redone_alone() -> None:
    class NaNWhereDark(FakeModel):
        """In half precision, dark images become NaN."""

        def __init__(self) -> None:
            super().__init__(lambda x: x)
            self.exact_calls: list[tuple[int, ...]] = []

        def forward(self, x: Tensor) -> Tensor:
            if self.precision == torch.float32:
                self.exact_calls.append(tuple(x.shape))
                return x
            dark = x.mean((1, 2, 3), keepdim=True) < 0.2
            return torch.where(dark, torch.nan, x)

    image = np.full((64, 64 + 2 * 56, 3), 200, np.uint8)
    image[:, 120:] = 10
    model = NaNWhereDark()
    deblurrer, _ = queued(model, tile=64, at_once=10**6, dtype="bfloat16")
    model.exact_calls.clear()
    restoration = deblurrer.restore(image)
    assert (restoration.tiles, restoration.redone, restoration.kept) == (3, 1, 0)
    assert model.exact_calls == [(1, 3, 64, 64)]
    np.testing.assert_array_equal(restoration.image, image)


class ShortOfMemory(FakeModel):
    """The identity; for batches of more pixels than it has room for, out of memory."""

    def __init__(self, room: int) -> None:
        super().__init__(lambda x: x)
        self.room = room
        self.seen: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append((len(x), *x.shape[2:]))
        if len(x) * x.shape[2] * x.shape[3] > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x


def test_short_of_memory_batches_shrink_before_tiles() -> None:
    images = pictures(*[(128, 3 * 128 - 2 * OVERLAP)] * 3)
    model = ShortOfMemory(2 * 128 * 128)
    deblurrer, lane = queued(model, tile=128, at_once=10**6)
    results = list(deblurrer.stream(images))
    for image, result in zip(images, results, strict=True):
        np.testing.assert_array_equal(result.image, image)
        assert result.tile == 128
    assert results[0].warnings == ("out of memory: 3 tiles at a time cut to 1",)
    assert results[1].warnings == results[2].warnings == ()
    assert lane.released == 1
    assert {seen[0] for seen in model.seen[1:]} == {1}


def test_a_shortage_in_the_middle_of_a_stream_loses_no_picture() -> None:
    images = pictures((200, 100), (300, 100), (200, 100))
    model = ShortOfMemory(10**9)
    deblurrer, _ = queued(model, tile=128)
    results = []

    def frames() -> Any:
        for index, image in enumerate(images):
            if index == 1:
                model.room = 64 * 64
            yield image

    results = list(deblurrer.stream(frames()))
    for image, result in zip(images, results, strict=True):
        np.testing.assert_array_equal(result.image, image)
    assert [result.tile for result in results] == [64, 64, 64]
    assert results[1].warnings == ("out of memory: tiles of 128 cut to 64 pixels",)


def test_too_little_memory_is_an_error_on_any_lane() -> None:
    deblurrer, _ = queued(ShortOfMemory(0))
    with pytest.raises(RestoreError, match="not enough memory"):
        deblurrer.restore(pictures((100, 100))[0])


def test_a_picture_that_is_none_ends_the_stream_with_its_error() -> None:
    plain = direct(FakeModel(lambda x: x))
    results = plain.stream([pictures((5, 5))[0], np.zeros((3, 3))])
    next(results)
    with pytest.raises(RestoreError, match="shape"):
        next(results)


def test_after_an_error_the_next_stream_starts_afresh() -> None:
    deblurrer, _ = queued(NaNBelowFloat32(), dtype="bfloat16")
    image, *_ = pictures((20, 30))
    with pytest.raises(RestoreError):
        list(deblurrer.stream([image, np.zeros((3, 3))]))
    restoration = deblurrer.restore(image)
    np.testing.assert_array_equal(restoration.image, image)
    assert restoration.redone == 1
