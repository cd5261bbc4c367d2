"""What every network says of itself is found out here, and compared."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from deblur_cli.inference import guard
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.models import ARCHITECTURES, RestorationModel, SizeRule, create_model
from deblur_cli.models.descriptor import HALVES, Reach
from deblur_cli.models.footprint import LiveTensors
from tests.models.layouts import SMALL
from tests.recipe_weights import fill_by_recipe

CPU = torch.device("cpu")
every_network = pytest.mark.parametrize("name", ARCHITECTURES)
every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


def make(name: str) -> RestorationModel:
    model = create_model(name, **SMALL[name]).eval()
    fill_by_recipe(model.network, seed=3, gain=0.7)
    return model


unchanged = cache(make)


def pools_locally(name: str) -> bool:
    return name != "xyscannet"


def picture(height: int, width: int) -> Tensor:
    """Soft shapes with some noise, `(1,3,H,W)`."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand((1, 3, height // 16 + 2, width // 16 + 2), generator=generator)
    soft = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    return (soft + 0.05 * torch.rand(soft.shape, generator=generator)).clamp(0, 1)


@torch.inference_mode()
def restored(model: RestorationModel, image: Tensor) -> Tensor:
    result: Tensor = model(image)
    return result


@every_network
def test_the_size_multiple_is_the_least_that_works(name: str) -> None:
    rule = unchanged(name).descriptor.size
    network = make(name).network
    network.size_multiple = 1  # no padding of its own, where it has any

    def works(height: int, width: int) -> bool:
        try:
            with torch.inference_mode():
                result = network(torch.rand(1, 3, height, width), side_outputs=False)[-1]
        except (RuntimeError, ValueError):
            return False
        return result.shape == (1, 3, height, width)

    fits = rule.multiple * 4
    sides = range(1, 3 * rule.multiple + 1)
    suitable = [side for side in sides if works(side, fits) and works(fits, side)]
    assert suitable == [side for side in sides if rule.fit(side, fits) == (side, fits)]
    assert rule == SizeRule(suitable[0], suitable[0])


@every_network
@pytest.mark.parametrize("dtype", sorted(HALVES, key=str))
def test_dtypes_that_are_called_safe_are(name: str, dtype: torch.dtype) -> None:
    model, image = unchanged(name), picture(64, 64)
    assert dtype in model.descriptor.half_precision
    exact, rounded = restored(model, image), restored(make(name).set_precision(dtype), image)
    assert rounded.isfinite().all()
    error = (rounded - exact).square().mean().sqrt() / (exact - image).square().mean().sqrt()
    assert 0 < error < 8 * torch.finfo(dtype).eps


@every_network
def test_the_reach_is_found_by_leaving_out_what_is_far_away(name: str) -> None:
    model = make(name)
    image, left_out, far = picture(16, 480), 128, 128

    def notices() -> bool:
        whole, part = restored(model, image), restored(model, image[..., left_out:])
        return not torch.allclose(whole[..., left_out + far :], part[..., far:], rtol=0, atol=1e-5)

    reach: Reach = "picture" if notices() else "surroundings"
    if reach == "picture" and pools_locally(name):
        model.set_local_pooling(16)
        reach = "picture" if notices() else "means"
    assert model.descriptor.tiling.reach == reach


@every_network
def test_tiles_with_the_advised_overlap_show_what_the_whole_picture_does(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiling = unchanged(name).descriptor.tiling
    if tiling.reach == "picture":
        pytest.skip(f"a tile of {name} depends on the whole picture, whatever the overlap")
    monkeypatch.setattr(guard, "plausible", lambda restored, original: torch.ones(len(original)))
    samples = picture(120, 200)[0].permute(1, 2, 0).contiguous().numpy()

    def run(tile: int, overlap: int | None, pooling: int) -> np.ndarray:
        advice = {"pooling": pooling}
        return Deblurrer(
            make(name), device="cpu", dtype="float32", tile=tile, overlap=overlap, advice=advice
        )(samples)

    def error(tiled: np.ndarray, whole: np.ndarray) -> float:
        change = np.mean((whole - samples) ** 2)
        return float(np.sqrt(np.mean((tiled - whole) ** 2) / change))

    whole = run(0, None, pooling=16)
    advised = error(run(96, None, pooling=16), whole)
    assert advised < 0.01
    assert error(run(96, 0, pooling=16), whole) > 3 * advised
    if tiling.reach == "means":
        assert error(run(96, None, pooling=0), run(0, None, pooling=0)) > 3 * advised


def counted(model: RestorationModel, height: int, width: int) -> float:
    """Bytes per megapixel of the tensors alive at the peak, for a picture of this size."""
    with LiveTensors(model.parameters()) as live:
        restored(model, torch.zeros(1, height, width, 3).permute(0, 3, 1, 2))
    return live.peak / (height * width) * 1e6


@every_network
@every_dtype
def test_memory_per_megapixel_is_what_a_larger_picture_takes(name: str, dtype: torch.dtype) -> None:
    model = make(name)
    stated = model.descriptor.memory_per_megapixel(dtype, CPU)
    assert model.precision == torch.float32
    taken = counted(model.set_precision(dtype), 144, 256)
    assert 0.97 * taken < stated < 1.2 * taken


@every_network
def test_local_pooling_is_part_of_the_memory(name: str) -> None:
    if not pools_locally(name):
        pytest.skip(f"{name} has no local pooling")
    model = make(name).set_precision(torch.bfloat16)
    globally = model.descriptor.memory_per_megapixel(torch.bfloat16, CPU)
    stated = model.set_local_pooling(96).descriptor.memory_per_megapixel(torch.bfloat16, CPU)
    taken = counted(model, 240, 240)
    assert globally <= stated
    assert 0.97 * taken < stated < 1.2 * taken


def test_measuring_the_memory_leaves_the_pooling_as_it_is() -> None:
    model, image = make("nafnet").set_local_pooling(64), picture(96, 128)
    before = restored(model, image)
    model.descriptor.memory_per_megapixel(torch.float32, CPU)
    assert torch.equal(restored(model, image), before)


def test_memory_counts_the_maps_that_are_alive_at_the_peak() -> None:
    for width in (8, 16):
        model = create_model("nafnet", **SMALL["nafnet"] | {"width": width})
        images, maps = 2 * 3 * 4, 6.5 * width
        for dtype in (torch.float32, torch.bfloat16):
            expected = (images + maps * dtype.itemsize) * 1e6
            assert model.descriptor.memory_per_megapixel(dtype, CPU) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (SizeRule(1), (5, 21)),
        (SizeRule(8), (8, 24)),
        (SizeRule(8, 16), (16, 24)),
        (SizeRule(8, square=True), (24, 24)),
    ],
)
def test_a_size_rule_names_the_least_size_that_fits(
    rule: SizeRule, expected: tuple[int, int]
) -> None:
    assert rule.fit(5, 21) == expected
    assert rule.fit(*expected) == expected
