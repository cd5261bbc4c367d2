"""What the score of `--skip-sharp` separates: blurred pictures from their sharp twins.

    python -m benchmarks.sharpness FOLDER...

A folder holds pairs, in `blur/` and `sharp/`, or sharp photos, which are then blurred here: by a
Gaussian of 1.5 or 3 pixels, or a movement of 9 or 15 along rows or columns. For each: the area
under the ROC curve, the share of sharp pictures that the default leaves as they are, and the share
of blurred ones that it would leave by mistake. Exits with 1 if that is more than `MISTAKES` of all.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from deblur_cli.data.camera import Picture
from deblur_cli.data.pairs import find_pairs
from deblur_cli.data.photos import load_sharp
from deblur_cli.imaging.sharpness import SHARP, sharpness

MISTAKES = 0.05


def scores(folder: Path) -> tuple[list[float], list[float]]:
    """Of a folder's sharp pictures, and of its blurred ones."""
    if (folder / "blur").is_dir():
        pairs = [pair.read() for pair in find_pairs(folder)]
        sharp, blurred = [truth for _, truth in pairs], [picture for picture, _ in pairs]
    else:
        sharp = load_sharp(folder)
        blurred = [picture for photo in sharp for picture in blurs(photo)]
    return list(map(sharpness, sharp)), list(map(sharpness, blurred))


def blurs(photo: Picture) -> list[Picture]:
    """The photo out of focus and shaken, little and more."""
    defocused = [cv2.GaussianBlur(photo, (0, 0), sigma) for sigma in (1.5, 3.0)]
    shaken = [
        cv2.blur(photo, kernel) for length in (9, 15) for kernel in ((length, 1), (1, length))
    ]
    return [*defocused, *shaken]


def area_under_curve(sharp: Sequence[float], blurred: Sequence[float]) -> float:
    """How often a sharp picture scores above a blurred one; 1 separates them all, 0.5 none."""
    above = np.subtract.outer(sharp, blurred)
    return float((above > 0).mean() + (above == 0).mean() / 2)


def main() -> int:
    """Score every picture of each folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", help="folders of pairs or of sharp photos")
    options = parser.parse_args()
    mistakes, total = 0, 0
    for folder in options.folders:
        sharp, blurred = scores(folder)
        left, wrong = np.greater_equal(sharp, SHARP), np.greater_equal(blurred, SHARP)
        mistakes, total = mistakes + int(wrong.sum()), total + len(blurred)
        print(
            f"{folder}: AUC {area_under_curve(sharp, blurred):.3f}"
            f"  left as they are: {left.mean():4.0%} of {len(sharp)} sharp"
            f", {wrong.mean():4.0%} of {len(blurred)} blurred"
        )
    large = np.random.default_rng(0).integers(0, 256, (4000, 6000, 3), dtype=np.uint8)
    started = time.process_time()
    sharpness(large)
    print(f"24 megapixels: {time.process_time() - started:.2f} s of one core")
    return int(mistakes > MISTAKES * total)


if __name__ == "__main__":
    sys.exit(main())
