from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.errors import DeviceError, RestoreError, UsageError
from deblur_cli.inference import engine, fit
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.models import Tiling
from tests.inference.fakes import FakeModel, NaNBelowFloat32, OutOfMemoryAbove, convolution

DTYPES = (np.uint8, np.uint16, np.float32)


def picture(height: int, width: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype == np.float32:
        return rng.random((height, width, 3), np.float32)
    return rng.integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)


def identity(**options: object) -> Deblurrer:
    return Deblurrer(FakeModel(lambda x: x), device="cpu", dtype="float32", **options)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 150),
    st.integers(1, 150),
    st.sampled_from(DTYPES),
    st.sampled_from(["auto", 0, 64, 100]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.booleans(),
)
def test_the_identity_comes_back_bit_by_bit(
    height: int, width: int, dtype: type, tile: int, strength: float, match_mean: bool
) -> None:
    image = picture(height, width, dtype)
    before = image.copy()
    restored = identity(tile=tile, advice={"match_mean": match_mean})(image, strength)
    assert restored.dtype == image.dtype
    np.testing.assert_array_equal(restored, image)
    np.testing.assert_array_equal(image, before)
    assert not np.shares_memory(restored, image)


@settings(deadline=None, max_examples=15)
@given(st.integers(65, 200), st.integers(1, 200), st.integers(64, 120))
def test_tiles_change_nothing_while_the_context_is_within_the_overlap(
    height: int, width: int, tile: int
) -> None:
    image = picture(height, width, np.float32)
    whole = Deblurrer(convolution(3), dtype="float32", device="cpu", tile=0)(image)
    tiled = Deblurrer(convolution(3), dtype="float32", device="cpu", tile=tile, overlap=32)(image)
    np.testing.assert_allclose(tiled, whole, atol=4e-3)


def test_far_from_the_seams_tiled_and_whole_are_the_same() -> None:
    image = np.ascontiguousarray(np.broadcast_to(picture(150, 1, np.float32), (150, 150, 3)))
    whole = Deblurrer(convolution(), dtype="float32", device="cpu", tile=0)(image)
    tiled = Deblurrer(convolution(), dtype="float32", device="cpu", tile=64)
    columns = tiled.restore(image).image[:20]
    np.testing.assert_allclose(columns, whole[:20], atol=1e-6)


def test_strength_mixes_input_and_result() -> None:
    image = np.full((40, 50, 3), 100, np.uint8)
    brighter = Deblurrer(FakeModel(lambda x: x + 20 / 255), device="cpu", dtype="float32")
    assert np.unique(brighter(image)).tolist() == [120]
    assert np.unique(brighter(image, strength=0.25)).tolist() == [105]
    assert np.unique(brighter(image, strength=0)).tolist() == [100]


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_the_unit_range_is_refused(strength: float) -> None:
    with pytest.raises(UsageError, match="strength"):
        identity()(picture(4, 4), strength)


def test_rounding_happens_once_at_the_end() -> None:
    image = np.full((100, 100, 3), 100, np.uint8)
    nudged = Deblurrer(FakeModel(lambda x: x + 0.4 / 255), device="cpu", tile=64, dtype="float32")
    assert np.unique(nudged(image)).tolist() == [100]
    doubled = Deblurrer(FakeModel(lambda x: x + 0.8 / 255), device="cpu", tile=64, dtype="float32")
    assert np.unique(doubled(image)).tolist() == [101]


def test_matching_the_mean_takes_a_colour_cast_away() -> None:
    cast = FakeModel(lambda x: x * 0.9 + torch.tensor([0.1, 0.0, 0.05]).view(1, 3, 1, 1))
    image = picture(90, 140, np.float32) * 0.5 + 0.25
    matched = Deblurrer(cast, device="cpu", dtype="float32", tile=64, advice={"match_mean": True})(
        image
    )
    np.testing.assert_allclose(matched.mean((0, 1)), image.mean((0, 1)), atol=2e-3)
    assert matched.std() < 0.95 * image.std()


def test_what_the_network_makes_implausible_is_left_and_reported() -> None:
    image = picture(100, 150)
    broken = Deblurrer(FakeModel(lambda x: x * torch.nan), device="cpu", dtype="float32", tile=64)
    result = broken.restore(image)
    np.testing.assert_array_equal(result.image, image)
    assert result.kept == result.tiles == 12 and result.redone == 0
    assert result.warnings == ("the output of 12 of 12 tiles was implausible; left as it was",)


def test_a_tile_with_a_sample_that_is_no_number_is_left_and_loses_no_other() -> None:
    image = picture(60, 60, np.float32)
    image[5, 7, 1] = np.nan
    result = identity(tile=0, advice={"match_mean": True}).restore(image)
    np.testing.assert_array_equal(result.image, image)
    assert result.kept == 1


def test_pixels_do_not_depend_on_the_memory_layout() -> None:
    image = picture(90, 70)
    deblurrer = Deblurrer(convolution(), device="cpu", dtype="float32", tile=64)
    expected = deblurrer(image)
    wide = np.zeros((180, 140, 6), np.uint8)
    wide[::2, ::2, ::-2] = image
    for other in (np.asfortranarray(image), wide[::2, ::2, ::-2]):
        np.testing.assert_array_equal(deblurrer(other), expected)


def test_only_the_broken_tile_is_left() -> None:
    def fail_on_dark(x: torch.Tensor) -> torch.Tensor:
        return x * torch.nan if x.mean() < 0.1 else x + 0.1

    image = np.full((64, 160, 3), 0.5, np.float32)
    image[:, :64] = 0
    result = Deblurrer(
        FakeModel(fail_on_dark), device="cpu", dtype="float32", tile=64, overlap=16
    ).restore(image)
    assert (result.kept, result.tiles) == (1, 3)
    assert (result.image[:, :48] == 0).all()
    np.testing.assert_allclose(result.image[:, 64:], 0.6, atol=1e-6)


def test_half_precision_failures_are_redone_and_reported() -> None:
    image = picture(64, 64)
    result = Deblurrer(NaNBelowFloat32(), device="cpu", dtype="bfloat16").restore(image)
    np.testing.assert_array_equal(result.image, image)
    assert (result.redone, result.kept) == (1, 0)
    assert "redone in float32" in result.warnings[0]


@pytest.mark.parametrize("tile", [0, 256, "auto"])
def test_a_shortage_of_memory_is_answered_by_smaller_tiles_and_remembered(tile: int) -> None:
    model = OutOfMemoryAbove(128 * 128, size_multiple=16)
    deblurrer = Deblurrer(model, device="cpu", dtype="float32", tile=tile)
    image = picture(300, 400)
    first = deblurrer.restore(image)
    np.testing.assert_array_equal(first.image, image)
    assert first.tile <= 128
    assert first.warnings and all("out of memory" in warning for warning in first.warnings)
    second = deblurrer.restore(image)
    assert second.warnings == () and second.tile == first.tile


def test_after_a_shortage_finished_rows_are_kept() -> None:
    restored_rows: list[int] = []

    class ShortOnce(FakeModel):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            restored_rows.append(x.shape[-2])
            if len(restored_rows) == 3:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return x

    image = picture(512, 100)
    result = Deblurrer(
        ShortOnce(lambda x: x), device="cpu", dtype="float32", tile=128, overlap=32
    ).restore(image)
    np.testing.assert_array_equal(result.image, image)
    assert restored_rows[:3] == [128, 128, 128]
    assert result.tile == 64
    below = 512 - (2 * 128 - 32 - 32)
    columns = 3
    assert len(restored_rows) - 3 == columns * (1 + -(-(below - 64) // 32))


def test_too_little_memory_for_the_smallest_tile_is_an_error() -> None:
    with pytest.raises(RestoreError, match="not enough memory even for tiles of 64"):
        Deblurrer(OutOfMemoryAbove(0), device="cpu", dtype="float32", tile=0)(picture(200, 200))


def test_other_failures_are_not_hidden() -> None:
    def fail(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        Deblurrer(FakeModel(fail), device="cpu", dtype="float32", tile=0)(picture(8, 8))


def test_automatic_tiles_follow_the_memory_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "bytes_per_pixel", lambda model, device: 1000.0)
    monkeypatch.setattr("deblur_cli.inference.memory.resident_memory", lambda: 100 << 20)
    generous = identity(max_memory="1000MiB").restore(picture(10, 1500))
    modest = identity(max_memory="200MiB").restore(picture(10, 1500))
    assert generous.tile == 971 and modest.tile == 323
    with pytest.raises(UsageError, match=r"too small.*allow 104 MiB or more"):
        identity(max_memory="101MiB")
    identity(max_memory="104MiB")


def test_the_weights_advice_counts_where_the_caller_leaves_it_open() -> None:
    advice = {"tile": 256, "overlap": 48, "pooling": 128, "match_mean": True}
    model = FakeModel(lambda x: x)
    advised = Deblurrer(model, device="cpu", dtype="float32", advice=advice)
    assert model.pooling == 128
    assert advised.settings["overlap"] == 48 and advised.settings["match_mean"] is True
    assert advised.restore(picture(300, 300)).tile == 256
    insisted = identity(advice=advice, tile=128, overlap=8)
    assert insisted.settings["overlap"] == 8
    assert insisted.restore(picture(300, 300)).tile == 128


def test_without_advice_of_the_weights_the_network_s_counts() -> None:
    model = FakeModel(lambda x: x)
    model.tiling = Tiling(largest=192)
    deblurrer = Deblurrer(model, device="cpu", dtype="float32")
    assert deblurrer.restore(picture(300, 300)).tile == 192


def test_settings_do_not_depend_on_what_automatic_became(monkeypatch: pytest.MonkeyPatch) -> None:
    roomy = identity().settings
    monkeypatch.setattr(fit, "bytes_per_pixel", lambda model, device: 1e6)
    assert identity().settings == roomy
    assert identity(tile=128).settings != roomy
    assert identity(sha256="f" * 64).settings != roomy


def test_the_summary_names_model_device_precision_and_tiles() -> None:
    assert identity(name="tiny", tile=128).summary == (
        "tiny on cpu, float32, tiles of up to 128, overlap 32"
    )
    assert identity(tile=0).summary == "custom on cpu, float32, whole pictures, overlap 32"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"device": "tpu9"}, DeviceError),
        ({"dtype": "float12"}, UsageError),
        ({"tile": 20}, UsageError),
        ({"overlap": -1}, UsageError),
        ({"max_memory": "much"}, UsageError),
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        Deblurrer(FakeModel(lambda x: x), **{"device": "cpu", "dtype": "float32", **options})  # type: ignore[arg-type]


def test_from_pretrained_hands_on_what_the_manifest_says(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = SimpleNamespace(
        path=Path("x"),
        id="tiny",
        sha256="a" * 64,
        source="bundled",
        warnings=("best could not be fetched",),
        advice={"overlap": 16, "pooling": 64},
    )
    asked: list[object] = []
    monkeypatch.setattr(
        engine, "resolve_weights", lambda *a, **k: (asked.append((a, k)), resolved)[1]
    )
    monkeypatch.setattr(engine, "load_weights", lambda _: FakeModel(lambda x: x))
    deblurrer = Deblurrer.from_pretrained("defocus", device="cpu", dtype="float32", offline=True)
    assert asked == [(("defocus",), {"model": None, "weights": None, "offline": True})]
    assert deblurrer.settings == {
        "model": "tiny",
        "weights": "a" * 64,
        "dtype": "float32",
        "tile": "auto",
        "overlap": 16,
        "pooling": 64,
        "match_mean": False,
    }
    assert deblurrer.warnings == ("best could not be fetched",)
    assert deblurrer.source == "bundled"
