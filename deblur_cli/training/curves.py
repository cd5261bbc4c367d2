"""The curves of a run: its numbers as CSV, and a picture of them where matplotlib is installed."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deblur_cli.checkpoints.replacing import replacing
from deblur_cli.errors import DeblurError
from deblur_cli.training.events import Event, Report, Saved, Start, Validation

CURVE_FILE = "curve.csv"
VALIDATION_FILE = "validation.csv"
PICTURE_FILE = "curve.png"

WITHOUT_MATPLOTLIB = (
    "matplotlib is not installed: the curves are kept as numbers, and not drawn "
    "(pip install 'deblur-cli[train]')"
)
_VALIDATED = ("step", "seconds", "psnr", "gain", "best")

Row = Mapping[str, str]


@dataclass(frozen=True)
class _Table:
    """A CSV file that grows by rows, each of a later step than the one before."""

    path: Path
    columns: Sequence[str]

    def rows(self) -> list[Row]:
        """All complete rows; those of another layout do not count."""
        if not self.path.exists():
            return []
        with self.path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))
        if not lines or tuple(lines[0]) != tuple(self.columns):
            return []
        whole = (line for line in lines[1:] if len(line) == len(self.columns) and all(line))
        return [dict(zip(self.columns, line, strict=True)) for line in whole]

    def restart(self, step: int) -> None:
        """Forget the rows after a step: an interrupted run may have got further than its state."""
        kept = [row for row in self.rows() if int(row["step"]) <= step]
        with replacing(self.path) as temporary, temporary.open("w", newline="") as file:
            csv.writer(file).writerow(self.columns)
            csv.DictWriter(file, self.columns).writerows(kept)

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row, in the order of the columns."""
        try:
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, self.columns, extrasaction="ignore").writerow(row)
        except OSError as error:
            raise DeblurError(
                f"cannot be written: {error.strerror}",
                path=self.path,
                remedy="see that its folder exists and the disk has room",
            ) from error


class Curves:
    """Keeps every report and validation in the run's folder, and draws them when it is saved.

    Raises:
        DeblurError: from any call, when the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._picture = folder / PICTURE_FILE
        columns = tuple(field.name for field in fields(Report))
        self._curve = _Table(folder / CURVE_FILE, columns)
        self._validations = _Table(folder / VALIDATION_FILE, _VALIDATED)

    def __call__(self, event: Event) -> None:
        """Take what belongs to the curves."""
        match event:
            case Start():
                self._curve.restart(event.step)
                self._validations.restart(event.step)
            case Report():
                self._curve.add(asdict(event))
            case Validation():
                self._validations.add({name: getattr(event, name) for name in _VALIDATED})
            case Saved() if can_draw():
                self.draw()

    def draw(self) -> None:
        """Write the picture; needs matplotlib."""
        from matplotlib.figure import Figure

        reports, validations = self._curve.rows(), self._validations.rows()
        figure = Figure(figsize=(8, 9), layout="constrained")
        loss, gain, rate = figure.subplots(3, sharex=True)
        _plot(loss, reports, "loss")
        loss.set_yscale("log")
        _plot(gain, reports, "gain", label="training patches")
        _plot(gain, validations, "gain", label="validation pictures", marker="o")
        gain.set_ylabel("PSNR gained (dB)")
        gain.legend()
        _plot(rate, reports, "learning_rate")
        rate.set_ylim(bottom=0)
        rate.set_xlabel("step")
        with replacing(self._picture) as temporary:
            figure.savefig(temporary, format="png", dpi=100)


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def _plot(axes: Any, rows: Sequence[Row], column: str, **style: str) -> None:
    steps = [int(row["step"]) for row in rows]
    axes.plot(steps, [float(row[column]) for row in rows], **style)
    axes.set_ylabel(column.replace("_", " "))
    axes.grid(visible=True)
