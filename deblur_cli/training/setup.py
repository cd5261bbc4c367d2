"""What a run is set up with: recipe, device, network and settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.errors import DeviceError, UsageError
from deblur_cli.inference.device import resolve_device
from deblur_cli.inference.precision import choose_dtype, dtype_name
from deblur_cli.models import RestorationModel, load_model
from deblur_cli.training.distributed import Ranks
from deblur_cli.training.network import recipe_network
from deblur_cli.training.recipe import Recipe, load_recipe, to_toml
from deblur_cli.training.settings import Settings


@dataclass(frozen=True)
class TrainingOptions:
    """What `deblur train` was asked for; None leaves it to the recipe or the device."""

    recipe: str
    data: Path
    folder: Path
    overrides: tuple[str, ...] = ()
    """`key.of.a.table=value` each, over the recipe's own."""
    init: Path | None = None
    device: str = "auto"
    dtype: str = "auto"
    workers: int | None = None
    threads: int = 1
    seed: int = 0
    split: int | None = None
    """Largest piece of state and weights in bytes; None leaves them whole."""
    tensorboard: bool = False


def chosen_recipe(options: TrainingOptions, ranks: Ranks) -> Recipe:
    """The recipe with what the options change in it.

    Raises:
        UsageError: no such recipe, impossible values, or batches that the processes cannot share.
    """
    recipe = load_recipe(options.recipe, options.overrides)
    parts = ranks.size * recipe.optimiser.accumulation
    for stage in recipe.all_stages():
        if stage.batch % parts:
            raise UsageError(
                f"a batch of {stage.batch} patches does not divide into {parts} equal parts, "
                f"{recipe.optimiser.accumulation} for each of {ranks.size} processes",
                remedy=f"give --batch as a multiple of {parts}",
            )
    return recipe


def own_device(requested: str, ranks: Ranks) -> torch.device:
    """This process's device: of several processes on a machine each takes the GPU of its number.

    Raises:
        DeviceError: it is not there, or there are fewer GPUs than processes.
        UsageError: several processes were told to use one GPU.
    """
    device = resolve_device(requested)
    if ranks.local_size == 1 or device.type != "cuda":
        return device
    if device.index is not None:
        raise UsageError(
            f"{ranks.local_size} processes cannot share '{requested}'",
            remedy="use --device cuda: each process takes a GPU of its own",
        )
    if torch.cuda.device_count() < ranks.local_size:
        raise DeviceError(
            f"{ranks.local_size} processes on this machine, but {torch.cuda.device_count()} GPUs",
            remedy="start one process for each GPU",
        )
    return torch.device("cuda", ranks.local_rank)


def prepare(device: torch.device, options: TrainingOptions) -> None:
    """Set threads, seed and numerics of this process."""
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damage is told by us
    torch.manual_seed(options.seed)
    if device.type == "cuda":
        torch.cuda.set_device(device.index or 0)
        torch.set_float32_matmul_precision("high")  # TF32 for what is left in float32
        torch.backends.cudnn.benchmark = True


def initial_model(recipe: Recipe, init: Path | None) -> RestorationModel:
    """The recipe's network on the CPU, with random weights or those of a file.

    Raises:
        UsageError: the patches do not fit the network, or the weights are of another layout.
        WeightsError: the weights cannot be read.
    """
    model = recipe_network(recipe)
    if init is None:
        if recipe.starts_from:
            raise UsageError(
                f"recipe '{recipe.name}' trains on the weights of '{recipe.starts_from}'",
                remedy="give them by --init, or begin with random ones by --set starts_from=",
            )
        return model
    trained = load_model(init)
    if trained.descriptor.config != model.descriptor.config:
        raise UsageError(
            f"is laid out otherwise than recipe '{recipe.name}'",
            path=init,
            remedy="start from weights of the same recipe",
        )
    return trained


def settle(
    options: TrainingOptions,
    recipe: Recipe,
    init: Path | None,
    device: torch.device,
    model: RestorationModel,
    state: Mapping[str, Any] | None,
    processes: int,
) -> Settings:
    """The run's settings; what was left open is as in the run that goes on, else as suits here.

    Raises:
        UsageError: the run that goes on had others.
        DeviceError: the device cannot compute in the dtype.
    """
    stored: Mapping[str, Any] = {} if state is None else state["settings"]
    spare = max(1, (os.cpu_count() or 1) - processes) if device.type == "cuda" else 0
    wish = stored.get("dtype", "auto") if options.dtype == "auto" else options.dtype
    settings = Settings(
        recipe=to_toml(recipe),
        seed=options.seed,
        dtype=dtype_name(choose_dtype(wish, device, model)),
        workers=stored.get("workers", spare) if options.workers is None else options.workers,
        init=None if init is None else file_sha256(init),
    )
    if stored:
        settings.refuse_difference(stored, options.folder)
    return settings
