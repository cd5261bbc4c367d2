"""Are network and engine right on the device: against float32 on the CPU, and themselves."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu.backends import networks_use
from benchmarks.gpu.bench import DTYPES, Bench, dtype_name
from benchmarks.gpu.networks import SMALL, in_precision, random_frames, random_network
from benchmarks.gpu.pictures import Picture, drawn_clip, drawn_pair
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.inference.graphs import TRIED_AT_USE, CudaRecorder
from deblur_cli.inference.lanes import lane_to
from deblur_cli.inference.samples import torch_dtype
from deblur_cli.models import RestorationModel

CPU = torch.device("cpu")
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.05, torch.float16: 0.01}
"""Largest error of the residual (output less input), relative to its largest value."""


def check_network(bench: Bench) -> None:
    """Outputs in every precision, gradients in float32."""
    with networks_use("torch"), torch.inference_mode():
        truth = _residual(bench, random_network(CPU, **SMALL), CPU)
    for dtype in DTYPES:
        bench.check(
            "network",
            f"{dtype_name(dtype)} against float32 on the CPU",
            functools.partial(_residual_error, bench, dtype, truth),
            TOLERANCE[dtype],
        )
    bench.check(
        "network",
        "gradients in float32 against the CPU",
        functools.partial(_gradient_error, bench),
        1e-3,
    )
    bench.check(
        "network", "one picture as in a batch", functools.partial(_batch_error, bench), 1e-4
    )


def check_engine(bench: Bench) -> None:
    """Transfers, tiles against the CPU, graphs against eager, a stream against single pictures."""
    for samples in (np.uint8, np.uint16, np.float32):
        bench.check(
            "engine",
            f"{samples.__name__} samples there and back",
            functools.partial(_transfer_error, bench.device, samples),
        )
    for tile in (0, 64):
        bench.check(
            "engine",
            f"float32, {f'tiles of {tile}' if tile else 'whole picture'}, against the CPU",
            functools.partial(_engine_error, bench.device, tile),
            1.0,
        )
    for dtype in DTYPES:
        if bench.device.type == "cuda":
            bench.check(
                "engine",
                f"{dtype_name(dtype)}, a CUDA graph against eager",
                functools.partial(_graph_error, bench, dtype),
                TOLERANCE[dtype],
            )
        bench.check(
            "engine",
            f"{dtype_name(dtype)}, a stream against single pictures",
            functools.partial(_stream_error, bench, dtype),
            1.0,
        )


@contextmanager
def full_float32() -> Iterator[None]:
    """Inside, float32 is not rounded to TF32."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def _small(device: torch.device) -> RestorationModel:
    """The same parameters everywhere, drawn on the CPU."""
    return random_network(CPU, **SMALL).to(device)


def _pictures(bench: Bench, device: torch.device) -> Tensor:
    """Two, of a size that needs padding."""
    return random_frames(device, 2, 3, *bench.sizes.odd)


def _residual(bench: Bench, model: RestorationModel, device: torch.device) -> Tensor:
    x = _pictures(bench, device)
    return (model(x) - x).cpu()


@torch.inference_mode()
def _residual_error(bench: Bench, dtype: torch.dtype, truth: Tensor) -> float:
    with full_float32():
        found = _residual(bench, in_precision(_small(bench.device), dtype), bench.device)
    return float((found - truth).abs().max() / truth.abs().max())


@torch.inference_mode()
def _batch_error(bench: Bench) -> float:
    model, pictures = _small(bench.device), _pictures(bench, bench.device)
    with full_float32():
        together = model(pictures)
        alone = torch.cat([model(picture[None]) for picture in pictures])
    residual = (together - pictures).abs().max()
    return float((together - alone).abs().max() / residual)


def _gradient_error(bench: Bench) -> float:
    """Of all parameters' gradients as one vector, relative to its length."""
    with full_float32():
        found = _gradients(bench, bench.device)
    with networks_use("torch"):
        truth = _gradients(bench, CPU)
    return float((found - truth).norm() / truth.norm())


def _gradients(bench: Bench, device: torch.device) -> Tensor:
    model = _small(device)
    outputs = model.network(_pictures(bench, device))
    loss = sum(output.square().mean() for output in outputs)
    gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return torch.cat([gradient.flatten().cpu() for gradient in gradients if gradient is not None])


def _transfer_error(device: torch.device, samples: type[np.number]) -> float:
    """Values that come back changed when many pictures are on their way at once."""
    rng = np.random.default_rng(0)
    scale = 1 if samples == np.float32 else np.iinfo(samples).max
    pictures = [(rng.random((60, 80, 3)) * scale).astype(samples) for _ in range(16)]
    lane, dtype = lane_to(device), torch_dtype(pictures[0].dtype)
    with lane.computing(), torch.inference_mode():
        uploaded = (lane.upload([picture])[0].permute(1, 2, 0) for picture in pictures)
        arriving = [lane.fetch_samples(values, dtype) for values in uploaded]
        found = [one.wait() for one in arriving]
    return float(np.count_nonzero(np.stack(found) != np.stack(pictures)))


def _engine_error(device: torch.device, tile: int) -> float:
    """Largest difference in grey levels."""
    picture = drawn_pair(100, 90, seed=1).blurred
    with full_float32():
        found = _deblurrer(device, torch.float32, tile)(picture)
    with networks_use("torch"):
        truth = _deblurrer(CPU, torch.float32, tile)(picture)
    return _grey_levels(found, truth)


def _grey_levels(one: Picture, other: Picture) -> float:
    return float(np.abs(one.astype(int) - other).max())


@torch.inference_mode()
def _graph_error(bench: Bench, dtype: torch.dtype) -> float:
    """Of the residual of other pictures than the graph was recorded with."""
    model, pictures = in_precision(_small(bench.device), dtype), _pictures(bench, bench.device)
    replay = CudaRecorder(bench.device).capture(model, pictures.flip(0, 2))
    found, truth = replay(pictures), model(pictures)
    return float((found - truth).abs().max() / (truth - pictures).abs().max())


def _stream_error(bench: Bench, dtype: torch.dtype) -> float:
    """Largest difference in grey levels; equal sizes follow each other, so that graphs are used."""
    height, width = bench.sizes.odd
    pictures = [*drawn_clip(height, width, 2), drawn_pair(width, height, seed=2).blurred]
    alone = [_deblurrer(bench.device, dtype, 0).restore(picture).image for picture in pictures]
    order = [0, 1, 2, *(0, 1) * (TRIED_AT_USE // 2)]
    streamed = _deblurrer(bench.device, dtype, 0).stream(pictures[index] for index in order)
    return max(
        _grey_levels(result.image, alone[index])
        for index, result in zip(order, streamed, strict=True)
    )


def _deblurrer(device: torch.device, dtype: torch.dtype, tile: int) -> Deblurrer:
    return Deblurrer(
        _small(CPU), device=str(device), dtype=dtype_name(dtype), tile=tile, overlap=16
    )
