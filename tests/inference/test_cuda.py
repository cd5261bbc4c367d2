"""The engine on a real CUDA GPU; elsewhere all of it is skipped."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from deblur_cli.checkpoints.load import load_weights
from deblur_cli.checkpoints.resolve import resolve_weights
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.inference.graphs import TRIED_AT_USE, CudaRecorder, GraphedNetwork
from deblur_cli.inference.lanes import CudaLane
from deblur_cli.metrics import psnr
from deblur_cli.models import RestorationModel
from tests.inference.fakes import FakeModel, NaNBelowFloat32

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

CLOSE = {"float32": 58, "bfloat16": 50, "float16": 58}
"""PSNR in dB between a result on the GPU and the CPU's in float32."""


def network() -> RestorationModel:
    return load_weights(resolve_weights("motion", offline=True))


def pictures(*sizes: tuple[int, int], dtype: type = np.uint8) -> list[np.ndarray]:
    """Blurred coloured blocks, so that there is something to deblur."""
    rng = np.random.default_rng(0)
    scale = 1 if dtype == np.float32 else np.iinfo(dtype).max
    made = []
    for height, width in sizes:
        blocks = rng.random((height // 5 + 1, width // 5 + 1, 3))
        sharp = np.kron(blocks, np.ones((5, 5, 1)))[:height, :width]
        made.append((ndimage.uniform_filter(sharp, (1, 7, 1)) * scale).astype(dtype))
    return made


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_identity_comes_back_bit_by_bit(dtype: type) -> None:
    deblurrer = Deblurrer(FakeModel(lambda x: x), device="cuda", dtype="float32", tile=64)
    images = pictures((50, 60), (150, 333), (64, 64), dtype=dtype)
    for image, result in zip(images, deblurrer.stream(images), strict=True):
        np.testing.assert_allclose(result.image, image, rtol=0, atol=1e-6)


@pytest.mark.parametrize("precision", CLOSE)
@pytest.mark.parametrize("tile", [0, 64])
def test_results_are_those_of_the_cpu(precision: str, tile: int) -> None:
    (image,) = pictures((150, 200))
    expected = Deblurrer(network(), device="cpu", dtype="float32", tile=tile)(image)
    restored = Deblurrer(network(), device="cuda", dtype=precision, tile=tile).restore(image)
    assert psnr(restored.image, expected) > CLOSE[precision]
    assert (restored.redone, restored.kept) == (0, 0)


def test_a_long_stream_equals_single_pictures() -> None:
    images = pictures(*[(120, 160)] * 12, (40, 50), *[(120, 160)] * 3)
    deblurrer = Deblurrer(network(), device="cuda", dtype="float32", tile=64)
    alone = [deblurrer(image) for image in images]
    for result, expected in zip(deblurrer.stream(images), alone, strict=True):
        assert psnr(result.image, expected) > 60


def test_what_fails_in_half_precision_is_redone() -> None:
    images = pictures((64, 200), (64, 200))
    deblurrer = Deblurrer(NaNBelowFloat32(), device="cuda", dtype="float16", tile=64)
    for image, result in zip(images, deblurrer.stream(images), strict=True):
        np.testing.assert_array_equal(result.image, image)
        assert result.redone == result.tiles


def test_a_graph_replays_what_it_captured_for_any_input() -> None:
    device = torch.device("cuda")
    model = network().to(device=device, memory_format=torch.channels_last)
    recorder = CudaRecorder(device)
    inputs = [torch.rand((2, 3, 64, 48), device=device) for _ in range(3)]
    with torch.inference_mode():
        replay = recorder.capture(model, inputs[0])
        other = recorder.capture(model, torch.rand((1, 3, 32, 32), device=device))
        results = [replay(x) for x in inputs]
        other(torch.rand((1, 3, 32, 32), device=device))
        for x, result in zip(inputs, results, strict=True):
            torch.testing.assert_close(result, model(x), rtol=0, atol=1e-4)


def test_a_network_that_waits_runs_without_a_graph() -> None:
    device = torch.device("cuda")

    def waits(x: Tensor) -> Tensor:
        return x * float(x.sum() * 0 + 2)

    graphed = GraphedNetwork(waits, CudaRecorder(device))
    x = torch.rand((1, 3, 8, 8), device=device)
    for _ in range(TRIED_AT_USE + 2):
        torch.testing.assert_close(graphed(x), x * 2)
    assert len(graphed.notes) == 1 and graphed.kept == 0


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
def test_many_transfers_at_once_do_not_mix(dtype: torch.dtype) -> None:
    lane = CudaLane(torch.device("cuda"))
    images = pictures(*[(300, 400)] * 30, dtype=np.dtype(str(dtype).removeprefix("torch.")).type)
    arriving = [
        lane.fetch_samples(lane.upload([image])[0].permute(1, 2, 0), dtype) for image in images
    ]
    for image, samples in zip(images, arriving, strict=True):
        np.testing.assert_allclose(samples.wait(), image, rtol=0, atol=1e-6)


def test_after_a_real_shortage_tiles_are_smaller_and_the_result_is_whole() -> None:
    def greedy(x: Tensor) -> Tensor:
        if x.shape[-1] * x.shape[-2] * len(x) > 100**2:
            torch.empty(1 << 46, dtype=torch.uint8, device=x.device)
        return x

    images = pictures(*[(256, 300)] * 3)
    deblurrer = Deblurrer(FakeModel(greedy), device="cuda", dtype="float32", tile=256)
    results = list(deblurrer.stream(images))
    for image, result in zip(images, results, strict=True):
        np.testing.assert_array_equal(result.image, image)
    assert results[0].tile < 256 and any("out of memory" in said for said in results[0].warnings)
