"""Read a state dict from a file: safetensors, or pickles restricted to tensors."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from deblur_cli.errors import WeightsError

WRAPPERS = ("learner", "average", "state_dict", "params_ema", "params", "model", "model_state")
PREFIXES = ("module.", "network.")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read parameters by name, without the wrappers and prefixes that trainers add.

    Args:
        path: a `.safetensors` file, or a `.pth`/`.pt`/`.ckpt` pickle, read with `weights_only`.

    Raises:
        WeightsError: the file is missing, damaged, no state dict, or would run code when read.
    """
    if not path.is_file():
        raise WeightsError("there is no such weights file", path=path)
    content = _read_safetensors(path) if path.suffix == ".safetensors" else read_pickle(path)
    return unwrap(content, path)


def unwrap(content: object, path: Path) -> dict[str, Tensor]:
    """Strip `{'state_dict': ...}`-like wrappers and `module.`-like prefixes."""
    while isinstance(content, dict) and (
        wrapper := next((w for w in WRAPPERS if content.get(w) is not None), None)
    ):
        content = content[wrapper]
    if not isinstance(content, dict) or not content:
        raise WeightsError("holds no state dict", path=path)
    if not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise WeightsError("holds something else than named tensors", path=path)
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in content):
            content = {key[len(prefix) :]: value for key, value in content.items()}
    return content


def count_children(state: Mapping[str, Tensor], prefix: str) -> int:
    """How many modules a state dict names right behind `prefix`, such as `decoders.0.`."""
    return len({key[len(prefix) :].split(".")[0] for key in state if key.startswith(prefix)})


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"cannot be read as safetensors: {error}", path=path, remedy="fetch it again"
        ) from error


def read_pickle(path: Path) -> object:
    """The content of a `.pth`/`.pt`/`.ckpt` pickle: tensors in lists and dictionaries, and no code.

    Raises:
        WeightsError: the file is damaged, or would run code when read.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            "holds more than tensors and is refused, since reading it could run code",
            path=path,
            remedy="ask its author for a safetensors file",
        ) from error
    except Exception as error:  # over damaged bytes unpickling stumbles in every way
        raise WeightsError(
            "is damaged, or no checkpoint",
            path=path,
            remedy="fetch it again; a safetensors file needs that suffix",
        ) from error
