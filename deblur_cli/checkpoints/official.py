"""Parameters as the authors of a network publish them, for their own code to load."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deblur_cli.checkpoints.replacing import replacing
from deblur_cli.errors import UsageError
from deblur_cli.models import RestorationModel
from deblur_cli.models.maxim_names import flax_path

State = Mapping[str, Tensor]
FLAX_PREFIX = "opt/target/"


def official_suffix(model: RestorationModel) -> str:
    """What the names of the authors' files end with: `.pth`, of MAXIM `.npz`."""
    return ".npz" if model.descriptor.name == "maxim" else ".pth"


def write_official(target: Path, model: RestorationModel) -> None:
    """Write the parameters in float32 under their official names and wrappers, atomically.

    Args:
        target: a file with the `official_suffix`.
        model: on any device.

    Raises:
        UsageError: the authors' code would not load it: another suffix, a network whose official
            form is not known, or one that lacks parameters of theirs.
        WeightsError: the file cannot be written.
    """
    name = model.descriptor.name
    if target.suffix != official_suffix(model):
        raise UsageError(
            f"is no name for the official weights of {name}",
            path=target,
            remedy=f"NAME{official_suffix(model)}",
        )
    state = {key: _single(value) for key, value in model.network.state_dict().items()}
    if name == "maxim":
        _refuse_partial(model, target)
        arrays = {FLAX_PREFIX + flax_path(key): _flax(key, state[key]) for key in state}
        with replacing(target) as temporary:
            np.savez(temporary, **arrays)  # type: ignore[arg-type]  # names are no other arguments
        return
    if name not in _WRAPPERS:
        raise UsageError(f"nobody knows the official form of {name} here", path=target)
    content = io.BytesIO()
    torch.save(_WRAPPERS[name](state), content)
    with replacing(target) as temporary:
        temporary.write_bytes(content.getvalue())


def _single(value: Tensor) -> Tensor:
    return (value.float() if value.is_floating_point() else value).cpu()


def _in_state_dict(state: State) -> dict[str, Any]:
    return {"state_dict": dict(state)}


def _in_params(state: State) -> dict[str, Any]:
    return {"params": dict(state)}


def _as_parallel(state: State) -> dict[str, Any]:
    """As several GPUs leave it, which the authors' code expects."""
    return {f"module.{key}": value for key, value in state.items()}


_WRAPPERS: Mapping[str, Callable[[State], dict[str, Any]]] = {
    "algnet": _in_state_dict,
    "mprnet": _in_state_dict,
    "fcn": _in_state_dict,
    "nafnet": _in_params,
    "xyscannet": _as_parallel,
}


def _refuse_partial(model: RestorationModel, target: Path) -> None:
    if not model.descriptor.config["coarse_results"]:
        raise UsageError(
            "the official MAXIM also gives results at half and quarter size, which these weights "
            "cannot",
            path=target,
            remedy="take weights that were trained with coarse_results = true",
        )


def _flax(key: str, value: Tensor) -> NDArray[Any]:
    """As Flax lays it out: kernels `(h,w,in,out)`, matrices `(in,out)`.

    The kernels of transposed convolutions are turned by 180 degrees.
    """
    array = value.numpy()
    if key.endswith(".up.weight"):
        array = array.transpose(2, 3, 0, 1)[::-1, ::-1]
    elif array.ndim == 4:
        array = array.transpose(2, 3, 1, 0)
    return np.ascontiguousarray(array.T if array.ndim == 2 else array)
