"""Real pictures for `python -m benchmarks.gpu`, in a form that needs no image decoder.

    .venv/bin/python -m benchmarks.gpu_samples

Reads the GoPro pairs and the high-speed clip (Nah et al. 2017, CC BY 4.0) that the data folder
holds, and writes build/gpu-samples.npz: `blurred` and `sharp` (N,H,W,3), the centres of the pairs;
`clip` (F,H,W,3), blurred frames that follow each other; uint8 RGB. The folder build is not part of
the repository, and the pictures must not become part of it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.gpu.__main__ import SAMPLES
from deblur_cli.data.camera import Picture
from deblur_cli.data.frames import frame_pairs

PAIRS, CLIP = "pairs/motion-gopro/val", "pairs/motion-gopro/GOPR0477_11_00_240fps.mp4"
SIDE = 512
FRAMES, EXPOSURE = 6, 9
"""Frames of the clip, and of the high-speed video per frame: both without gaps."""


def main() -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared"), help="where the data lies")
    options = parser.parse_args()
    names = sorted(path.name for path in (options.data / PAIRS / "blur").glob("*.png"))
    if not names or not (options.data / CLIP).is_file():
        print(f"{options.data} lacks {PAIRS} or {CLIP}; give another --data", file=sys.stderr)
        return 3
    blurred, sharp = (
        np.stack([_centre(options.data / PAIRS / kind / name) for name in names])
        for kind in ("blur", "sharp")
    )
    exposures = frame_pairs(
        options.data / CLIP,
        np.random.default_rng(0),
        shortest=EXPOSURE,
        longest=EXPOSURE,
        every=EXPOSURE,
    )
    clip = np.stack([frame for frame, _ in exposures[:FRAMES]])
    SAMPLES.parent.mkdir(exist_ok=True)
    np.savez_compressed(SAMPLES, blurred=blurred, sharp=sharp, clip=clip)
    print(f"{SAMPLES}: {len(names)} pairs, {len(clip)} frames, {SAMPLES.stat().st_size >> 20} MiB")
    return 0


def _centre(path: Path) -> Picture:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    top, left = ((length - SIDE) // 2 for length in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


if __name__ == "__main__":
    sys.exit(main())
