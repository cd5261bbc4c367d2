"""Who would restore: what `--dry-run` has to know of the network, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

import deblur_cli
from deblur_cli.checkpoints.advice import DEFAULT_OVERLAP
from deblur_cli.checkpoints.resolve import ResolvedWeights, resolve_weights
from deblur_cli.cli.options import ModelOptions
from deblur_cli.cli.run_ray import Shipment, Workforce
from deblur_cli.pipeline.images import Batch
from deblur_cli.pipeline.loaded import LoadedNetwork

if TYPE_CHECKING:
    from deblur_cli import Deblurrer

_UNCHECKED = ("auto", "cpu")
"""Devices that are there, whatever the machine."""


@dataclass(frozen=True)
class UnloadedNetwork:
    """The face of the `Deblurrer` that these weights will make, if nothing else is asked for."""

    resolved: ResolvedWeights

    @property
    def settings(self) -> dict[str, str | int | float]:
        """As `Deblurrer.settings`."""
        advice = self.resolved.advice
        return {
            "model": self.resolved.id,
            "weights": self.resolved.sha256,
            "dtype": "auto",
            "tile": "auto",
            "overlap": int(advice.get("overlap", DEFAULT_OVERLAP)),
            "pooling": int(advice.get("pooling", 0)),
            "match_mean": bool(advice.get("match_mean", False)),
        }

    @property
    def summary(self) -> str:
        """One line for the log."""
        return f"{self.resolved.id}, not loaded"

    @property
    def source(self) -> str:
        """As `Deblurrer.source`."""
        return self.resolved.source

    @property
    def warnings(self) -> tuple[str, ...]:
        """What choosing the weights gave rise to."""
        return self.resolved.warnings


def unloaded(network: ModelOptions, on_cluster: bool) -> Workforce:
    """Those who can preview a batch; no cluster is asked.

    Torch and the network are loaded only where they alone can say what the settings are, or whether
    there is such a device: they take more memory than the plan of a hundred thousand pictures.

    Raises:
        WeightsError, UsageError, DeviceError: as `ModelOptions.load_fleet`.
    """
    fleet = _fleet(replace(network, device="auto") if on_cluster else network)
    as_if_loaded = cast("Mapping[str, Deblurrer]", fleet)
    return Workforce(fleet, partial(Batch, as_if_loaded))


def _fleet(network: ModelOptions) -> Mapping[str, LoadedNetwork]:
    asked = network.task, network.model, network.weights
    if network.device not in _UNCHECKED or replace(
        network, device="auto", offline=False
    ) != ModelOptions(*asked):
        return network.load_fleet()
    resolved = resolve_weights(*asked, network.offline)
    resolved.require_intact()
    if _will_load(resolved):
        return {network.device: UnloadedNetwork(resolved)}
    load = Shipment(resolved, network, deblur_cli.__version__)
    return {network.device: load(network.device, resolved.path.read_bytes())}


def _will_load(weights: ResolvedWeights) -> bool:
    """Whether intact weights are known to be a network of ours: other files have to be tried."""
    entry = weights.entry
    return bool(weights.advice if entry is None else entry.config)
