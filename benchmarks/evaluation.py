"""Whether metrics hold back the network: `deblur eval` on 1280x720 PNG pairs, network for nothing.

    python -m benchmarks.evaluation

An identity network goes through the whole engine; PSNR and both SSIMs are measured as for GoPro.
Prints pairs per second by the clock, and what two cores without other work would give by the time
this process had on its cores; exits with 1 if the latter misses the bar. Two cores are used.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as `deblur` does

import argparse
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from deblur_cli.data.pairs import find_pairs
from deblur_cli.evaluation.candidates import Network as Candidate
from deblur_cli.evaluation.evaluation import Work
from deblur_cli.evaluation.protocols import PROTOCOLS
from deblur_cli.evaluation.subjects import Subjects
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.models.restoration import Network, RestorationModel

CORES = 2
BAR = 8.0
"""Pairs per second."""

WIDTH, HEIGHT = 1280, 720
FILES = 6
"""Pairs that are drawn; they are measured over and over."""


class Identity(Network):
    """Gives pictures back."""

    size_multiple = 1

    def forward(self, image: Tensor, side_outputs: bool = True) -> list[Tensor]:
        """The picture itself."""
        return [image]

    def set_local_pooling(self, train_size: int | None) -> None:
        """There are no pools."""


def draw_pairs(folder: Path) -> None:
    """Noise on several scales, as fine as photographs are; its blurred version; as PNG."""
    rng = np.random.default_rng(0)
    for number in range(FILES):
        sharp = np.full((HEIGHT, WIDTH, 3), 128, np.float32)
        for scale in (1, 4, 16, 64):
            coarse = rng.normal(0, 3 * scale**0.5, (HEIGHT // scale, WIDTH // scale, 3))
            sharp += cv2.resize(coarse.astype(np.float32), (WIDTH, HEIGHT))
        for kind, picture in (("sharp", sharp), ("blur", cv2.blur(sharp, (9, 3)))):
            path = folder / kind / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), picture.clip(0, 255).astype(np.uint8))


def main() -> int:
    """Time an evaluation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=60, help="how many are measured")
    parser.add_argument("--data", type=Path, help="folder of pairs [drawn]")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    torch.set_num_threads(CORES)
    with tempfile.TemporaryDirectory() as drawn:
        folder = options.data or Path(drawn)
        if options.data is None:
            draw_pairs(folder)
        pairs = find_pairs(folder)
        repeated = tuple(pairs[number % len(pairs)] for number in range(options.pairs))
        work = Work(Subjects("drawn", "motion", PROTOCOLS["gopro"], repeated))
        model = RestorationModel(Identity(), "identity", {})
        candidate = Candidate(Deblurrer(model, name="identity", device="cpu", tile=0))
        began, used = time.perf_counter(), time.process_time()
        outcome = work.measure(candidate, None, lambda result: None)
        seconds, cores = time.perf_counter() - began, time.process_time() - used
    assert len(outcome.scores) == options.pairs
    rate = CORES * options.pairs / cores
    print(
        f"{options.pairs} pairs of {WIDTH}x{HEIGHT}: {options.pairs / seconds:.1f} pairs/s by the "
        f"clock, {1000 * cores / options.pairs:.0f} core-ms a pair: {rate:.1f} pairs/s on "
        f"{CORES} cores (bar {BAR:g}, {'ok' if rate >= BAR else 'MISSED'})"
    )
    return int(rate < BAR)


if __name__ == "__main__":
    sys.exit(main())
