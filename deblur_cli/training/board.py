"""What TensorBoard shows of a run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from deblur_cli.errors import MissingExtraError
from deblur_cli.training.events import Event, Report, Saved, Start, Validation

FOLDER = "tensorboard"
_REPORTED = ("loss", "gain", "learning_rate", "patches_per_second", "skipped")


class Board:
    """Writes scalars and a few validation pictures into `tensorboard/` of the run's folder.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("--tensorboard", "train") from error
        self._make = SummaryWriter
        self._folder = folder / FOLDER

    def __call__(self, event: Event) -> None:
        """Take what TensorBoard can show."""
        match event:
            case Start():  # drops what an interrupted run wrote after its last state
                self._writer = self._make(str(self._folder), purge_step=event.step + 1)
            case Report():
                values = asdict(event)
                for name in _REPORTED:
                    self._writer.add_scalar(f"training/{name}", values[name], event.step)
            case Validation():
                self._writer.add_scalar("validation/psnr", event.psnr, event.step)
                self._writer.add_scalar("validation/gain", event.gain, event.step)
                for number, example in enumerate(event.examples):
                    row = np.hstack((example.blurred, example.restored, example.sharp))
                    name = f"blurred, restored, sharp/{number}"
                    self._writer.add_image(name, row, event.step, dataformats="HWC")
            case Saved():
                self._writer.flush()
