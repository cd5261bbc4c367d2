"""What a network gains on sharp photographs that a shaking camera blurred, 6 to 28 pixels wide.

    python -m benchmarks.shake ../shared/pairs/sharp-kodak

Each photograph is blurred by one kernel throughout, drawn with a fixed seed, in linear light,
without noise. Such a kernel leaves the position of the sharp picture undetermined: PSNR is taken at
the best shift.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from deblur_cli.checkpoints.card import describe_measurement
from deblur_cli.checkpoints.metadata import Measurement
from deblur_cli.data.camera import SRGB, Picture
from deblur_cli.data.convolution import convolve
from deblur_cli.data.photos import list_photos, read_rgb
from deblur_cli.data.trajectory import blur_kernel, camera_path
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.metrics import psnr_best_shift, ssim

NARROWEST, WIDEST = 6.0, 28.0
"""Extent of the paths (px): of the first photograph and of the last."""

SEED = 2026


def shaken(sharp: Picture, extent: float, seed: int) -> Picture:
    """`(H,W,3)` uint8 blurred along a random path of this extent in pixels."""
    kernel = blur_kernel(camera_path(np.random.default_rng(seed), extent))
    return SRGB.to_picture(convolve(SRGB.to_light(sharp), kernel))


def measure_shaken(folder: Path, deblurrer: Deblurrer) -> Measurement:
    """Shake and restore every photograph of a folder."""
    photos = list_photos(folder)
    pictures = {}
    for number, extent in enumerate(np.linspace(NARROWEST, WIDEST, len(photos))):
        sharp = read_rgb(photos[number])
        blurred = shaken(sharp, float(extent), SEED + number)
        restored = deblurrer(blurred)
        before, after = psnr_best_shift(blurred, sharp), psnr_best_shift(restored, sharp)
        pictures[f"{photos[number].stem}, {extent:.1f} px"] = {
            "psnr_before": before,
            "psnr_after": after,
            "psnr_gain": after - before,
            "ssim_before": ssim(blurred, sharp),
            "ssim_after": ssim(restored, sharp),
        }
    dataset = f"{folder.name} shaken by {NARROWEST:.0f} to {WIDEST:.0f} px, PSNR at the best shift"
    return Measurement(dataset, deblurrer.summary, pictures)


def main() -> int:
    """Print one row per photograph."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of sharp photographs")
    parser.add_argument("--model", help="id of the weights [the default for motion]")
    options = parser.parse_args()
    deblurrer = Deblurrer.from_pretrained(model=options.model)
    print(describe_measurement(measure_shaken(options.folder, deblurrer)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
