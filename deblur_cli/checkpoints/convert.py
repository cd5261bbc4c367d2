"""Checkpoints of any kind as safetensors that say what they are, with a model card beside them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from deblur_cli.checkpoints.card import compose_card
from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.manifest import load_manifest
from deblur_cli.checkpoints.metadata import Metadata
from deblur_cli.checkpoints.official import official_suffix, write_official
from deblur_cli.checkpoints.origin import describe_origin, find_weights
from deblur_cli.checkpoints.replacing import replacing
from deblur_cli.errors import UsageError, WeightsError
from deblur_cli.models import RestorationModel, load_model

SUFFIX = ".safetensors"
TOLERANCE = 0.5
"""Grey levels (of 255) by which the result for a sample may change through rounding, root mean
square; if the network leaves [0,1], of the largest value instead."""


@dataclass(frozen=True)
class Checkpoint:
    """A network with trained parameters, and what is known of it."""

    path: Path
    """The file that the parameters were read from."""
    model: RestorationModel
    """In evaluation mode, float32, on the CPU."""
    metadata: Metadata


def read_checkpoint(checkpoint: Path) -> Checkpoint:
    """Read a file that `load_model` understands, a list of its pieces, or a run's folder.

    Raises:
        WeightsError: unreadable, damaged, or of no known architecture.
    """
    path = find_weights(checkpoint)
    model = load_model(path)
    told = describe_origin(blank_metadata(model), checkpoint, path)
    return Checkpoint(path, model, _with_listed(told, path))


def _with_listed(told: Metadata, path: Path) -> Metadata:
    """Add what the manifest says of a file that it pins."""
    entry = load_manifest().with_checksum(file_sha256(path))
    if entry is None:
        return told
    trained_on = tuple(entry.trained_on)
    return replace(told, task=entry.task, trained_on=trained_on, inference=entry.inference)


def blank_metadata(model: RestorationModel, dtype: str = "float16") -> Metadata:
    """What a network says of itself, to be stored in `dtype`; nothing of where it comes from."""
    described = model.descriptor
    return Metadata(described.name, described.config, described.parameters, dtype)


def default_target(checkpoint: Path, suffix: str = SUFFIX) -> Path:
    """Where the converted weights go if nobody says otherwise: beside the checkpoint."""
    whole = checkpoint.with_suffix("") if checkpoint.suffix == ".split" else checkpoint
    return whole.parent / f"{whole.name if whole.is_dir() else whole.stem}{suffix}"


def check_target(target: Path, source: Path, overwrite: bool) -> None:
    """Refuse a place that the weights of the file `source` may not be written to.

    Raises:
        UsageError: it is no name for safetensors, or it is `source`; weights or card are there
            already and may not be overwritten.
    """
    if target.suffix != SUFFIX or target.is_dir():
        raise UsageError("is no name for converted weights", path=target, remedy=f"NAME{SUFFIX}")
    _check_places((target, card_of(target)), source, overwrite)


def _check_places(places: Iterable[Path], source: Path, overwrite: bool) -> None:
    for path in places:
        if path.exists() and path.samefile(source):
            raise UsageError(
                "is the file that is read, which is left as it is",
                path=path,
                remedy="name another file with --output",
            )
        if path.exists() and not overwrite:
            raise UsageError(
                "exists already", path=path, remedy="name another file with -o, or --overwrite it"
            )


def card_of(target: Path) -> Path:
    """The model card beside a file of weights."""
    return target.with_suffix(".md")


def write_as_official(
    read: Checkpoint, checkpoint: Path, output: Path | None, overwrite: bool
) -> Path:
    """Write what was read from `checkpoint` as its authors publish it, and return the file.

    Raises:
        UsageError: the authors' code would not load it, or something is in the way.
        WeightsError: the file cannot be written.
    """
    target = output or default_target(checkpoint, official_suffix(read.model))
    _check_places((target,), read.path, overwrite)
    write_official(target, read.model)
    return target


def rounded(model: RestorationModel, dtype: str) -> RestorationModel:
    """A copy in float32 whose parameters have the values that `dtype` would keep of them."""
    copied = copy.deepcopy(model)
    copied.network.load_state_dict(_cast(model.network.state_dict(), dtype))
    return copied


def write_with_card(target: Path, model: RestorationModel, metadata: Metadata) -> float:
    """`write_weights`, and beside them the model card; both are replaced, or neither."""
    card = card_of(target)
    with replacing(card) as temporary:
        temporary.write_text(compose_card(card, metadata), "utf-8")
        return write_weights(target, model, metadata)


def write_weights(target: Path, model: RestorationModel, metadata: Metadata) -> float:
    """Write parameters and metadata atomically, read them back, and compare what the network does.

    Args:
        target: a `.safetensors` file; one that is there is replaced, but only if all is well.
        model: float32, on the CPU, in evaluation mode.
        metadata: its `dtype` is what the parameters are stored in.

    Returns:
        By how many grey levels (of 255) the result for a sample changed, root mean square.

    Raises:
        WeightsError: the file cannot be written, or the parameters lose too much in this dtype.
    """
    from safetensors.torch import save

    state = _cast(model.network.state_dict(), metadata.dtype)
    with replacing(target) as temporary:
        temporary.write_bytes(save(state, metadata.to_text()))
        wanted, found = _sample_result(model), _sample_result(load_model(temporary))
        if not wanted.isfinite().all():
            raise WeightsError(
                "is not written: the network gives a sample no finite colours",
                path=target,
                remedy="train it again, or take an earlier checkpoint",
            )
        change = float((wanted - found).square().mean().sqrt() * 255)
        if not change <= TOLERANCE * max(1.0, float(wanted.abs().max())):  # NaN, too
            raise WeightsError(
                f"is not written: {metadata.dtype} changes results by {change:.3g} grey levels",
                path=target,
                remedy="store the parameters in float32",
            )
    return change


def _cast(state: Mapping[str, Tensor], dtype: str) -> dict[str, Tensor]:
    to = getattr(torch, dtype)
    return {
        key: (value.to(to) if value.is_floating_point() else value).cpu().contiguous()
        for key, value in state.items()
    }


@torch.inference_mode()
def _sample_result(model: RestorationModel) -> Tensor:
    noise = torch.rand((1, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    sample = F.interpolate(noise, size=(64, 64), mode="bicubic").clamp(0, 1)
    restored: Tensor = model(sample)
    return restored
