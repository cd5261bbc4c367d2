"""The networks by name, and how each is recognised from a state dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deblur_cli.errors import UsageError, WeightsError
from deblur_cli.models import (
    algnet_config,
    fcn,
    maxim_config,
    mprnet_config,
    nafnet,
    xyscannet_config,
)
from deblur_cli.models.algnet import ALGNet
from deblur_cli.models.foreign import load_foreign
from deblur_cli.models.maxim import MAXIM
from deblur_cli.models.mprnet import MPRNet
from deblur_cli.models.restoration import Network, RestorationModel
from deblur_cli.models.state_dict import read_state_dict
from deblur_cli.models.xyscannet import XYScanNet


@dataclass(frozen=True)
class Architecture:
    """One kind of network."""

    config: type[Any]
    """Dataclass of its layout."""
    build: Callable[[Any], Network]
    """Makes the bare network from a layout."""
    infer: Callable[[Mapping[str, Tensor]], Any | None]
    """Reads the layout from a state dict; None for the state dict of another architecture."""


ARCHITECTURES: Mapping[str, Architecture] = {
    "algnet": Architecture(algnet_config.ALGNetConfig, ALGNet, algnet_config.infer_config),
    "xyscannet": Architecture(
        xyscannet_config.XYScanNetConfig, XYScanNet, xyscannet_config.infer_config
    ),
    "nafnet": Architecture(nafnet.NAFNetConfig, nafnet.NAFNet, nafnet.infer_config),
    "mprnet": Architecture(mprnet_config.MPRNetConfig, MPRNet, mprnet_config.infer_config),
    "fcn": Architecture(fcn.FCNConfig, fcn.FCN, fcn.infer_config),
    "maxim": Architecture(maxim_config.MAXIMConfig, MAXIM, maxim_config.infer_config),
}


def create_model(name: str, **config: Any) -> RestorationModel:
    """Make a network with initial weights.

    Args:
        name: architecture, one of `ARCHITECTURES`.
        config: fields of its configuration; what is not given has the paper's value.

    Raises:
        UsageError: an unknown architecture or field, or a layout that makes no sense.
    """
    if name not in ARCHITECTURES:
        raise UsageError(
            f"unknown architecture '{name}'", remedy=f"one of {', '.join(ARCHITECTURES)}"
        )
    architecture = ARCHITECTURES[name]
    known = {field.name for field in fields(architecture.config)}
    if unknown := sorted(config.keys() - known):
        raise UsageError(
            f"{name} has no setting {', '.join(unknown)}",
            remedy=f"known: {', '.join(sorted(known))}",
        )
    return _assemble(name, architecture.config(**config))


def load_model(path: str | Path) -> RestorationModel:
    """Load a checkpoint; architecture and layout are read from its keys and shapes.

    What is none of `ARCHITECTURES` is left to spandrel, if the extra `foreign` is installed.

    Args:
        path: safetensors or a pickle of tensors, with or without wrappers and prefixes.

    Returns:
        The model in evaluation mode, float32, on the CPU.

    Raises:
        WeightsError: unreadable, of no known architecture, or with missing or unexpected entries.
    """
    path = Path(path)
    state = read_state_dict(path)
    for name, architecture in ARCHITECTURES.items():
        try:
            config = architecture.infer(state)
        except (UsageError, IndexError) as error:
            raise WeightsError(
                f"has the entries of {name} in shapes that make no network", path=path
            ) from error
        if config is not None:
            return _filled(name, config, state, path)
    return load_foreign(state, path, known=ARCHITECTURES)


def _assemble(name: str, config: Any) -> RestorationModel:
    return RestorationModel(ARCHITECTURES[name].build(config), name, asdict(config))


def _filled(name: str, config: Any, state: dict[str, Tensor], path: Path) -> RestorationModel:
    with torch.device("meta"):
        expected = ARCHITECTURES[name].build(config).state_dict()
    shared = expected.keys() & state.keys()
    misfits = {
        "missing": expected.keys() - shared,
        "unexpected": state.keys() - shared,
        "misshapen": {key for key in shared if expected[key].shape != state[key].shape},
        "not of real numbers": {key for key in shared if not state[key].is_floating_point()},
    }
    problems = [
        f"{kind} {', '.join(sorted(keys)[:3])}{' and more' if len(keys) > 3 else ''}"
        for kind, keys in misfits.items()
        if keys
    ]
    if problems:
        raise WeightsError(f"does not fit {name}: {'; '.join(problems)}", path=path)
    model = _assemble(name, config)
    try:
        model.network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(
            "is stored in a number format that cannot be converted",
            path=path,
            remedy="store it in float32 or float16",
        ) from error
    return model.eval()
