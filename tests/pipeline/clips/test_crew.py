from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from deblur_cli.errors import DeviceError, VideoReadError
from deblur_cli.pipeline.clips.crew import Crew, crew_of
from tests.pipeline.fakes import FakeDeblurrer, FakeRestoration


class Slow(FakeDeblurrer):
    """Takes its time for each picture, and asks for three before its first result."""

    def __init__(self, seconds: float, fails_at: int = 0) -> None:
        def before(number: int) -> None:
            time.sleep(seconds)
            if number == fails_at:
                raise DeviceError("lost")

        super().__init__(before)

    def stream(self, images: Any, strength: float = 1.0) -> Iterator[FakeRestoration]:
        waiting: list[Any] = []
        for image in images:
            waiting.append(image)
            if len(waiting) == 3:
                yield self.restore(waiting.pop(0), strength)
        for image in waiting:
            yield self.restore(image, strength)


def _pictures(count: int) -> Iterator[Any]:
    return (np.full((2, 2, 3), number, np.uint8) for number in range(count))


def _crew(*deblurrers: FakeDeblurrer) -> Any:
    return Crew(deblurrers)  # type: ignore[arg-type]


def _shown(restorations: Iterator[FakeRestoration]) -> list[int]:
    return [255 - int(each.image[0, 0, 0]) for each in restorations]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 40])
def test_results_come_in_order(count: int) -> None:
    devices, before = [Slow(0.0), Slow(0.002), Slow(0.001)], set(threading.enumerate())
    assert _shown(_crew(*devices).stream(_pictures(count))) == list(range(count))
    shares = [device.calls for device in devices]
    assert sum(shares) == count
    assert max(shares) - min(shares) <= 1
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_devices_work_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=30)
    devices = [FakeDeblurrer(lambda number: meeting.wait()) for _ in range(2)]
    assert len(_shown(_crew(*devices).stream(_pictures(6)))) == 6


def test_few_pictures_are_asked_for() -> None:
    asked: list[int] = []

    def pictures() -> Iterator[Any]:
        for number, image in enumerate(_pictures(60)):
            asked.append(number)
            yield image

    results = _crew(Slow(0.0), Slow(0.0)).stream(pictures())
    for given in range(1, 40):
        next(results)
        assert len(asked) - given <= 9
    results.close()


def test_lost_device_ends_the_run() -> None:
    results = _crew(Slow(0.0), Slow(0.0, fails_at=3)).stream(_pictures(50))
    with pytest.raises(DeviceError, match="lost"):
        _shown(results)


def test_what_reading_raises_is_raised_behind_the_results() -> None:
    def pictures() -> Iterator[Any]:
        yield from _pictures(5)
        raise VideoReadError("broken")

    results = _crew(Slow(0.0), Slow(0.0)).stream(pictures())
    assert _shown(next(results) for _ in range(5)) == list(range(5))
    with pytest.raises(VideoReadError, match="broken"):
        next(results)


def test_one_device_is_itself() -> None:
    alone = FakeDeblurrer()
    assert crew_of({"cpu": alone}) is alone  # type: ignore[dict-item]
    both = crew_of({"a": FakeDeblurrer(device="a"), "b": FakeDeblurrer(device="b")})  # type: ignore[dict-item]
    assert both.summary == "inverter on a; inverter on b"
