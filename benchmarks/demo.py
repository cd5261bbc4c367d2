"""The demonstration: blur real photos, restore them with the real command, measure and show it."""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

from benchmarks.sheet import Row, draw_sheet
from deblur_cli.data.camera import Picture
from deblur_cli.data.distributions import LogNormal
from deblur_cli.data.motion import MotionBlur
from deblur_cli.metrics import psnr

REPOSITORY = Path(__file__).parents[1]
SAMPLES = Path(skimage.__file__).parent / "data"
PHOTOS = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "camera.png")
MODEL = "algnet-small-motion"
PICTURED = 3
SEED = 2024
LIGHT_BLUR = MotionBlur(extent=LogNormal(median=6, sigma=0.4, low=3, high=12), lights_share=0.0)


@dataclass(frozen=True)
class Outcome:
    """One photo: HWC RGB uint8 arrays of the truth, its blurred version and the restored file."""

    name: str
    truth: Picture
    blurred: Picture
    restored: Picture

    @property
    def before(self) -> float:
        """PSNR of the blurred photo in dB."""
        return psnr(self.blurred, self.truth)

    @property
    def after(self) -> float:
        """PSNR of the restored photo in dB."""
        return psnr(self.restored, self.truth)


def main() -> int:
    """Run the demonstration in the folder `demo` and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="JPEG",
        help=f"also write the first {PICTURED} photos as a small JPEG, for the README",
    )
    arguments = parser.parse_args()

    folder = REPOSITORY / "demo"
    truths = blur_samples(folder / "blurred")
    if exit_code := run_deblur("demo/blurred", "demo/restored"):
        return exit_code
    outcomes = [measure(name, truth, folder) for name, truth in truths.items()]
    print(table(outcomes))

    rows = [row(outcome) for outcome in outcomes]
    sheet = folder / "before-after.png"
    draw_sheet(rows).save(sheet)
    print(f"\nLook at {sheet}")
    if arguments.picture is not None:
        draw_sheet(rows[:PICTURED]).save(arguments.picture, quality=85)
    if mean_gain(outcomes) <= 0:
        print("The restored photos are no closer to the truth than the blurred ones.")
        return 1
    return 0


def blur_samples(folder: Path) -> dict[str, Picture]:
    """Write blurred versions of scikit-image's photos into the folder; return the truths."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    truths = {}
    for name in PHOTOS:
        blurred, truths[name] = LIGHT_BLUR(rng, read_rgb(SAMPLES / name))
        Image.fromarray(blurred).save(folder / name, quality=95)
    return truths


def run_deblur(source: str, destination: str) -> int:
    """Run the command a user would type, from the repository's root; return its exit code.

    It takes the bundled weights, and never a network.
    """
    arguments = ["run", source, "--model", MODEL, "--offline", "-o", destination, "--overwrite"]
    print("$ deblur", *arguments, flush=True)
    return subprocess.run(
        [sys.executable, "-m", "deblur_cli", *arguments], cwd=REPOSITORY
    ).returncode


def measure(name: str, truth: Picture, folder: Path) -> Outcome:
    """Read back what was written, as anyone looking at the files would."""
    blurred, restored = (read_rgb(folder / kind / name) for kind in ("blurred", "restored"))
    return Outcome(name, truth, blurred, restored)


def read_rgb(path: Path) -> Picture:
    """An image file as an HWC RGB uint8 array."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def table(outcomes: list[Outcome]) -> str:
    """PSNR in dB of each photo before and after, and the means, as lines of text."""
    lines = [f"\n{'photo':<16}{'blurred':>9}{'restored':>10}{'gain':>8}   PSNR in dB"]
    lines += [_line(o.name, o.before, o.after) for o in outcomes]
    means = (float(np.mean([getattr(o, when) for o in outcomes])) for when in ("before", "after"))
    return "\n".join([*lines, _line("mean", *means)])


def _line(name: str, before: float, after: float) -> str:
    return f"{name:<16}{before:>9.2f}{after:>10.2f}{after - before:>+8.2f}"


def mean_gain(outcomes: list[Outcome]) -> float:
    """Mean over the photos of PSNR after minus before, in dB."""
    return float(np.mean([o.after - o.before for o in outcomes]))


def row(outcome: Outcome) -> Row:
    """The outcome as a row of the sheet, each picture labelled with its PSNR."""
    return (
        (f"blurred  {outcome.before:.2f} dB", outcome.blurred),
        (f"deblur run  {outcome.after:.2f} dB", outcome.restored),
        ("truth", outcome.truth),
    )


if __name__ == "__main__":
    sys.exit(main())
