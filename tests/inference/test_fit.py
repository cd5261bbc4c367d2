from __future__ import annotations

import pytest
import torch

from deblur_cli.errors import UsageError
from deblur_cli.inference import fit
from deblur_cli.inference.fit import fit_tiles
from deblur_cli.inference.tiles import Size
from tests.inference.fakes import FakeModel

CPU, GPU = torch.device("cpu"), torch.device("cuda")
MODEL = FakeModel(lambda x: x, size_multiple=16)
GIB = 1 << 30


@pytest.fixture(autouse=True)
def cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "bytes_per_pixel", lambda model, device: 1024.0)
    monkeypatch.setattr("deblur_cli.inference.memory.free_memory", lambda device: 4 * GIB)
    monkeypatch.setattr("deblur_cli.inference.memory.resident_memory", lambda: 0)


def test_on_a_cpu_tiles_go_through_the_network_one_by_one() -> None:
    tiles = fit_tiles(MODEL, CPU, "auto", 32, 0, None)
    assert (tiles.limit, tiles.at_once) == (1024, 0)


def test_on_a_gpu_as_many_go_together_as_fit() -> None:
    tiles = fit_tiles(MODEL, GPU, "auto", 32, 0, None)
    assert (tiles.limit, tiles.at_once) == (1440, 2 * GIB // 1024)
    assert tiles.side(Size(720, 1280)) == 1280
    limited = fit_tiles(MODEL, GPU, "auto", 32, 0, "1GiB")
    assert (limited.limit, limited.at_once) == (720 // 16 * 16, GIB // 2 // 1024)


def test_squares_go_through_the_network_one_by_one() -> None:
    model = FakeModel(lambda x: x, size_multiple=16)
    model.square = True
    assert fit_tiles(model, GPU, "auto", 32, 0, None).at_once == 0
    assert fit_tiles(model, GPU, 256, 32, 0, None).at_once == 0


@pytest.mark.parametrize(("tile", "limit"), [(256, 256), (0, None)])
def test_a_size_that_is_asked_for_is_taken(tile: int, limit: int | None) -> None:
    on_cpu, on_gpu = (fit_tiles(MODEL, device, tile, 32, 128, None) for device in (CPU, GPU))
    assert on_cpu.limit == on_gpu.limit == limit
    assert on_cpu.at_once == 0 and on_gpu.at_once == 2 * GIB // 1024


def test_advice_makes_tiles_smaller_and_never_larger() -> None:
    assert fit_tiles(MODEL, GPU, "auto", 32, 256, None).limit == 256
    assert fit_tiles(MODEL, GPU, "auto", 32, 10**4, None).limit == 1440


@pytest.mark.parametrize("device", [CPU, GPU])
def test_a_limit_below_the_smallest_tile_is_refused(device: torch.device) -> None:
    with pytest.raises(UsageError, match="too small"):
        fit_tiles(MODEL, device, "auto", 32, 0, "3MiB")
    assert fit_tiles(MODEL, device, "auto", 32, 0, "9MiB").limit == 64 + 16 * (device == CPU) * 2
