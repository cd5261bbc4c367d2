"""What the bundled weights measure, as a page: every table is made by the command above it.

    python -m benchmarks.results ../shared docs/results.md

The folder holds pairs/motion-gopro/val, pairs/defocus-dpdd1024/val and pairs/sharp-kodak.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.shake import measure_shaken
from deblur_cli.checkpoints.card import describe_measurement
from deblur_cli.checkpoints.manifest import load_manifest
from deblur_cli.evaluation.figures import FIGURES
from deblur_cli.inference.engine import Deblurrer

DATA = "DATA"
"""Stands for the folder of the data."""

_WIDTH = 100

INTRODUCTION = """\
# Results

What the bundled weights measure on everything at hand. The sets are small: figures tell these
weights from others on the same pictures, and are not comparable with those of papers, which measure
on 76 to 2,025. `deblur data fetch` brings such sets, and `deblur eval --dataset gopro` puts ours
beside the papers' figures. `DATA` is the folder of the pictures; all that follows was written by

    python -m benchmarks.results DATA docs/results.md

NIQE is by the package's own model, fitted on 301 sharp photographs, not by MATLAB's.
"""


@dataclass(frozen=True)
class Table:
    """A data set, and what is measured on it."""

    title: str
    text: str
    options: tuple[str, ...]

    def command(self, data: str) -> list[str]:
        """The arguments of `deblur`."""
        return ["eval", *(option.replace(DATA, data) for option in self.options)]


def bundled(task: str) -> str:
    """Id of the weights that come with the package for a task."""
    return load_manifest().defaults(task)[-1].id


def tables() -> list[Table]:
    """Everything that is measured."""
    motion, defocus = bundled("motion"), bundled("defocus")
    return [
        Table(
            "Motion blur: three pairs of GoPro",
            "By the metrics of papers on GoPro, at 1280x720. The weights have seen none of these "
            "scenes; one other sequence of GoPro was part of their training.",
            (*_pairs("motion-gopro/val"), "--metrics", "psnr,ssims,niqe", "--model", motion),
        ),
        Table(
            "Defocus: five pairs of DPDD at 1024x1024",
            "Photos resampled by a third party. Pairs differ in exposure: the fitted PSNR is after "
            "a gain and offset of each channel. The weights were trained on other pairs of DPDD's "
            "test split, so DPDD itself must not be measured with them.",
            (
                *_pairs("defocus-dpdd1024/val"),
                *("--metrics", "psnr,fit-before-after,ssim_uniform,mae,niqe"),
                *("--model", defocus),
            ),
        ),
        *(
            Table(
                f"Sharp photos through {model}",
                "Eight photos that need no sharpening: PSNR of the result against its input.",
                ("--dataset", f"{DATA}/pairs/sharp-kodak", "--model", model),
            )
            for model in (motion, defocus)
        ),
    ]


def _pairs(name: str) -> tuple[str, ...]:
    return "--dataset", f"{DATA}/pairs/{name}", "--blurred"


def measured(table: Table, data: Path) -> dict[str, Any]:
    """What the command writes; its progress goes to stderr."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "deblur_cli", *table.command(str(data)), "-o", output]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        written: dict[str, Any] = json.loads((Path(output) / "table.json").read_text("utf-8"))
    return written


def section(table: Table, written: dict[str, Any]) -> str:
    """The part of the page on a data set."""
    rows = written["rows"]
    names = list(dict.fromkeys(name for row in rows for name in row["figures"]))
    cells = [
        ["", *(FIGURES[name].heading for name in names), "pictures"],
        ["---", *("---:" for _ in names), "---:"],
    ]
    for row in rows:
        texts = [_text(name, row["figures"].get(name, math.nan)) for name in names]
        cells.append([row["method"], *texts, str(row["pictures"])])
    lines = "\n".join(f"| {' | '.join(line)} |" for line in cells)
    methods = "".join(
        f"Measured with {one['method']}; weights `{one['weights'][:16]}…`.\n"
        for one in written["settings"].values()
        if one["method"]
    )
    command = "deblur " + " ".join(table.command(DATA))
    text = textwrap.fill(table.text, _WIDTH)
    return f"## {table.title}\n\n{text}\n\n    {command}\n\n{lines}\n\n{methods}"


def shaken(model: str, data: Path) -> str:
    """The part of the page on synthetic camera shake, as `benchmarks.shake` measures it."""
    deblurrer = Deblurrer.from_pretrained(model=model, offline=True)
    found = describe_measurement(measure_shaken(data / "pairs" / "sharp-kodak", deblurrer))
    command = f"python -m benchmarks.shake {DATA}/pairs/sharp-kodak --model {model}"
    return f"## Camera shake: sharp photos, blurred by us\n\n    {command}\n\n{found}\n"


def _text(name: str, value: float | None) -> str:
    """What is infinite is null in JSON."""
    return "∞" if value is None else FIGURES[name].text(value)


def main() -> int:
    """Measure everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with pairs/")
    parser.add_argument("page", type=Path, help="file to write")
    options = parser.parse_args()
    versions: dict[str, str] = {}
    sections = []
    for table in tables():
        written = measured(table, options.data)
        versions = written["versions"]
        sections.append(section(table, written))
    sections.append(shaken(bundled("motion"), options.data))
    listed = ", ".join(f"{package} {version}" for package, version in versions.items())
    end = f"## With\n\n{listed}; Python {platform.python_version()} on {platform.machine()}.\n"
    options.page.write_text("\n".join([INTRODUCTION, *sections, end]), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
