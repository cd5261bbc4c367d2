"""All facts about this machine together, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch

from deblur_cli.checkpoints.manifest import Manifest, load_manifest
from deblur_cli.checkpoints.verify import Check, State, verify_weights
from deblur_cli.diagnosis.comparison import Comparison, compare_backends
from deblur_cli.diagnosis.devices import Device, find_devices
from deblur_cli.diagnosis.packages import Extra, Package, find_extras, find_packages
from deblur_cli.errors import DeblurError, DeviceError, WeightsError
from deblur_cli.ops.backends import usable_backends

TASK = "motion"
"""The task whose network the precision is chosen for: the default one of `deblur run`."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found."""

    packages: list[Package]
    extras: list[Extra]
    devices: list[Device]
    comparisons: list[Comparison]
    weights: list[Check]
    defaults: dict[str, str]
    """The weights that each task takes on this machine; empty for a task without any."""
    failures: list[str] = field(default_factory=list)
    """What could not even be looked at."""

    @property
    def problems(self) -> list[str]:
        """What should be repaired, one sentence each."""
        return [
            *self.failures,
            *(f"{device.name}: {device.failure}" for device in self.devices if device.failure),
            *(_told(comparison) for comparison in self.comparisons if not comparison.agrees),
            *(
                f"the weights '{check.entry.id}' are {check.state.value}; reinstall deblur-cli"
                for check in self.weights
                if not check.state.acceptable
            ),
        ]

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 something is wrong, 3 no device or no weights to work with."""
        if not any(self._runs(device) for device in self.devices):
            return DeviceError.exit_code
        if not any(self.defaults.values()):
            return WeightsError.exit_code
        return DeblurError.exit_code if self.problems else 0

    def _runs(self, device: Device) -> bool:
        """Whether the back end that `device` would take can be run there."""
        mine = [
            comparison
            for comparison in self.comparisons
            if (comparison.device, comparison.backend) == (device.name, device.backend)
        ]
        return bool(mine) and not any(comparison.failure for comparison in mine)


def diagnose() -> Diagnosis:
    """Look at everything; opens no connection and raises nothing that can be told instead."""
    devices = find_devices(TASK)
    failures: list[str] = []
    weights: list[Check] = []
    defaults: dict[str, str] = {}
    try:
        manifest = load_manifest()
        weights = verify_weights(manifest)
        defaults = {task: _default(manifest, task, weights) for task in manifest.tasks}
    except DeblurError as error:
        failures.append(str(error))
    return Diagnosis(
        packages=find_packages(),
        extras=find_extras(),
        devices=devices,
        comparisons=[
            comparison
            for device in devices
            for comparison in compare_backends(_backends(device), torch.device(device.name))
        ],
        weights=weights,
        defaults=defaults,
        failures=failures,
    )


def _backends(device: Device) -> Iterable[str]:
    """All that are made for the device; the one that would be used there first."""
    usable = usable_backends(torch.device(device.name))
    return dict.fromkeys([device.backend, *usable] if device.backend else usable)


def _default(manifest: Manifest, task: str, checks: list[Check]) -> str:
    intact = {check.entry.id for check in checks if check.state is State.INTACT}
    return next((entry.id for entry in manifest.defaults(task) if entry.id in intact), "")


def _told(comparison: Comparison) -> str:
    where = f"the scan back end '{comparison.backend}' on {comparison.device}"
    if comparison.failure:
        return f"{where} does not run {comparison.operator}: {comparison.failure}"
    return (
        f"{where} disagrees with float64 in {comparison.operator}: "
        f"values {comparison.value_error:.1e}, gradients {comparison.gradient_error:.1e}"
    )
