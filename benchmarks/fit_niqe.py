"""Fits the model of natural photographs for NIQE that the package carries.

    python -m benchmarks.fit_niqe ../shared/sharp

Prints on how many photographs, and what the model says of every tenth of them, sharp and blurred.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from deblur_cli.data.photos import list_photos, read_rgb
from deblur_cli.metrics.niqe import OUR_MODEL, fit_niqe_model, niqe, save_niqe_model

SIGMAS = (0, 1, 2, 4)


def main() -> int:
    """Fit on a folder and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of sharp photographs")
    parser.add_argument("--output", type=Path, default=OUR_MODEL, help="where the model goes")
    options = parser.parse_args()
    photos = list_photos(options.folder)
    source = f"fitted on {len(photos)} sharp photographs"
    model = fit_niqe_model(map(read_rgb, photos), source)
    save_niqe_model(model, options.output)
    print(f"{options.output}: {source}, {options.output.stat().st_size} bytes")
    for sigma in SIGMAS:
        figures = []
        for photo in photos[::10]:
            picture = read_rgb(photo)
            blurred = cv2.GaussianBlur(picture, (0, 0), sigma) if sigma else picture
            figures.append(niqe(blurred, model))
        print(f"blurred by {sigma} px: NIQE {np.mean(figures):.3f} (mean of {len(figures)})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
