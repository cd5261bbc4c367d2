"""Read a state dict from a file: safetensors, or pickles restricted to tensors."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from deblur_cli.errors import WeightsError
from deblur_cli.models.file_kind import holds_pickle, holds_safetensors, refuse_other_kinds

WRAPPERS = (
    *("learner", "average", "state_dict", "model_state_dict", "params_ema", "params-ema"),
    *("params", "model", "model_state", "net", "netG", "generator"),
)
"""Names under which trainers keep the parameters, the preferred ones first."""

PREFIXES = tuple(
    f"{name}."
    for name in ("module", "_orig_mod", "network", "model", "net", "net_g", "netG", "generator")
)
"""What trainers and wrapping modules put in front of every name."""


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read parameters by name, without the wrappers and prefixes that trainers add.

    Args:
        path: safetensors, or a pickle (`.pth`, `.pt`, `.ckpt`), read with `weights_only`; which
            of them is seen from the content.

    Raises:
        WeightsError: the file is missing, damaged, no state dict, or would run code when read.
    """
    if not path.is_file():
        raise WeightsError("there is no such weights file", path=path)
    refuse_other_kinds(path)
    if path.suffix == ".safetensors" or holds_safetensors(path):
        return unwrap(_read_safetensors(path), path)
    if not holds_pickle(path):
        raise WeightsError("is no checkpoint", path=path, remedy="safetensors or .pth is needed")
    return unwrap(read_pickle(path), path)


def unwrap(content: object, path: Path) -> dict[str, Tensor]:
    """Strip `{'state_dict': ...}`-like wrappers and `module.`-like prefixes."""
    while isinstance(content, dict) and (
        wrapper := next((w for w in WRAPPERS if isinstance(content.get(w), dict)), None)
    ):
        content = content[wrapper]
    if not isinstance(content, dict) or not content:
        raise WeightsError("holds no state dict", path=path)
    if not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise WeightsError("holds something else than named tensors", path=path)
    while prefix := next((p for p in PREFIXES if _is_wrapped(content, p)), None):
        content = {key[len(prefix) :]: value for key, value in content.items()}
    return content


def _is_wrapped(state: Mapping[str, Tensor], prefix: str) -> bool:
    """Whether all names have the prefix; before numbers it is a sequence of the network's own."""
    return all(key.startswith(prefix) and not key[len(prefix) :][:1].isdigit() for key in state)


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
            remedy="fetch it again",
        ) from error
