"""The command line with a network that inverts pictures; FAKE_SECONDS is its time for each."""

from __future__ import annotations

import os
import time
from typing import Any
from unittest import mock

from deblur_cli.cli.app import main
from deblur_cli.cli.options import ModelOptions
from tests.pipeline.fakes import FakeDeblurrer


def load_fake(options: ModelOptions) -> Any:
    """What `ModelOptions.load` would be with that network."""
    seconds = float(os.environ.get("FAKE_SECONDS", "0"))
    return FakeDeblurrer(lambda number: time.sleep(seconds), task=options.task, tile=options.tile)


if __name__ == "__main__":
    with mock.patch.object(ModelOptions, "load", load_fake):
        main()
