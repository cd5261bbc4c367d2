"""The networks by name, and how each is recognised from a state dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

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

    Args:
        path: a `.safetensors` file or a pickle of tensors, with or without wrappers and prefixes.

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
            return _fill(_assemble(name, config), state, path)
    raise WeightsError(
        "is of no architecture known here", path=path, remedy=f"known: {', '.join(ARCHITECTURES)}"
    )


def _assemble(name: str, config: Any) -> RestorationModel:
    return RestorationModel(ARCHITECTURES[name].build(config), name, asdict(config))


def _fill(model: RestorationModel, state: dict[str, Tensor], path: Path) -> RestorationModel:
    expected = model.network.state_dict()
    missing = sorted(expected.keys() - state.keys())
    unexpected = sorted(state.keys() - expected.keys())
    misshapen = sorted(
        key for key in expected.keys() & state.keys() if expected[key].shape != state[key].shape
    )
    problems = [
        f"{kind} {', '.join(keys[:3])}{' and more' if len(keys) > 3 else ''}"
        for kind, keys in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("misshapen", misshapen),
        )
        if keys
    ]
    if problems:
        raise WeightsError(
            f"does not fit {model.descriptor.name}: {'; '.join(problems)}", path=path
        )
    model.network.load_state_dict(state)
    return model.eval()
