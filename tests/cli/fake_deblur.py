"""The command line with a network that inverts pictures; FAKE_SECONDS is its time for each.

It runs on devices of any name; those whose names begin with `broken` are lost at once. On a cluster
it keeps a diary in the working directory, pictures of the grey value FAKE_POISON end workers, and
FAKE_STALLED is the id of a node where none is ever done.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any
from unittest import mock

from deblur_cli.cli import run_ray
from deblur_cli.cli.app import main
from deblur_cli.cli.options import ModelOptions
from deblur_cli.errors import DeviceError
from tests.pipeline.cluster.fakes import FakeLoader
from tests.pipeline.fakes import FakeDeblurrer


def load_fake(options: ModelOptions) -> Any:
    """What `ModelOptions.load` would be with that network."""
    (deblurrer,) = load_fake_fleet(options).values()
    return deblurrer


def load_fake_fleet(options: ModelOptions) -> dict[str, Any]:
    """What `ModelOptions.load_fleet` would be with that network."""
    names = options.device.replace("auto", "cpu").split(",")
    return {name: _fake(options, name) for name in names}


def _fake(options: ModelOptions, device: str) -> FakeDeblurrer:
    def before(number: int) -> None:
        if device.startswith("broken"):
            raise DeviceError("CUDA error: unspecified launch failure")
        time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))

    return FakeDeblurrer(before, device, task=options.task, tile=options.tile)


def pack_fake(options: ModelOptions) -> tuple[FakeLoader, bytes]:
    """What `run_ray.pack` would be with that network."""
    seconds = float(os.environ.get("FAKE_SECONDS", "0"))
    poison = int(os.environ.get("FAKE_POISON", "-1"))
    stalled = os.environ.get("FAKE_STALLED", "")
    return FakeLoader(Path("diary").absolute(), seconds, poison, stalled), b"inverter"


if __name__ == "__main__":
    with (
        mock.patch.object(ModelOptions, "load", load_fake),
        mock.patch.object(ModelOptions, "load_fleet", load_fake_fleet),
        mock.patch.object(run_ray, "pack", pack_fake),
    ):
        main()
