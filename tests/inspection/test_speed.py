from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from deblur_cli.errors import DeviceError, RestoreError
from deblur_cli.inspection import speed
from deblur_cli.inspection.speed import draw_picture, time_forward, time_restoring
from deblur_cli.models import RestorationModel, create_model
from tests.pipeline.fakes import FakeDeblurrer


def _tiny() -> RestorationModel:
    return create_model("nafnet", width=4, encoder_blocks=(1,), decoder_blocks=(1,)).eval()


def test_picture_is_always_the_same_and_uses_the_whole_range() -> None:
    picture = draw_picture((90, 161))
    assert (picture.shape, picture.dtype) == ((90, 161, 3), np.uint8)
    assert np.array_equal(picture, draw_picture((90, 161)))
    assert (picture.min(), picture.max()) == (0, 255)


def test_restoring_is_timed_after_a_run_that_does_not_count() -> None:
    deblurrer: Any = FakeDeblurrer()
    found = time_restoring(deblurrer, "cpu", (40, 60), runs=3)
    assert deblurrer.calls == 4
    assert len(found.seconds) == 3
    assert min(found.seconds) <= found.median <= max(found.seconds)
    assert np.array_equal(found.last.image, 255 - draw_picture((40, 60)))
    assert found.peak_bytes is None or found.peak_bytes > 1 << 20


def test_forward_pass_is_timed_with_its_memory() -> None:
    model = _tiny()
    parameters = 4 * model.descriptor.parameters
    found = time_forward(model, "cpu", "float32", (64, 48), runs=2)
    assert found.seconds > 0
    assert found.dtype == "float32"
    image = 3 * 64 * 48 * 4
    assert parameters + 2 * image < found.peak_bytes < parameters + 100 * image


def test_forward_pass_runs_in_the_dtype_asked_for() -> None:
    model = _tiny()
    assert time_forward(model, "cpu", "bfloat16", (32, 32), runs=1).dtype == "bfloat16"
    assert model.precision == torch.bfloat16


def test_slow_network_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []

    def slow(*_: object) -> float:
        runs.append(speed.ENOUGH_SECONDS)
        return speed.ENOUGH_SECONDS

    monkeypatch.setattr(speed, "_run", slow)
    time_forward(_tiny(), "cpu", "float32", (32, 32), runs=5)
    assert len(runs) == 1


def test_picture_too_large_for_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "free_memory", lambda _: 1000)
    with pytest.raises(RestoreError, match="GiB on 'cpu', which are not free"):
        time_forward(_tiny(), "cpu", "float32", (32, 32), runs=1)


def test_running_out_of_memory_is_told_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object) -> float:
        raise MemoryError

    monkeypatch.setattr(speed, "_run", run)
    with pytest.raises(RestoreError, match="not free"):
        time_forward(_tiny(), "cpu", "float32", (32, 32), runs=1)


def test_unknown_device_is_an_error() -> None:
    with pytest.raises(DeviceError):
        time_forward(_tiny(), "abacus", "float32", (32, 32), runs=1)
