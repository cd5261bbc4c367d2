"""What tiling changes: tiled against whole-image results on photos, and whether seams can be seen.

    python -m benchmarks.tiles PHOTO_FOLDER --task motion

For each tile size and kind of pooling: the PSNR between the tiled and the whole-image result, and
the seam contrast. That is the mean absolute step between pixels where a fade from tile to tile
begins and ends, relative to the same steps in the whole-image result, divided by this ratio
everywhere else: 1 means that borders look like any other place. Exits with 1 if the default misses
a bar.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deblur_cli.checkpoints.load import load_weights
from deblur_cli.checkpoints.resolve import resolve_weights
from deblur_cli.data.camera import Picture
from deblur_cli.data.photos import load_sharp
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.inference.tiles import Size, tile_grid
from deblur_cli.metrics import psnr

PSNR_BAR = 42.0
CONTRAST_BAR = 0.05


@dataclass(frozen=True)
class Seams:
    """Tiled against whole, as means over photos."""

    psnr: float
    """Between the two results, dB."""
    contrast: float
    """Steps where fades begin and end relative to steps elsewhere; 1 is invisible."""


def compare(
    photos: Sequence[Picture],
    whole: Deblurrer,
    tiled: Deblurrer,
    multiple: int,
    step: int | None = None,
) -> Seams:
    """Restore each photo both ways."""
    distances, border_steps, other_steps = [], np.zeros(2), np.zeros(2)
    for photo in photos:
        one, restored = whole(photo), tiled.restore(photo)
        distances.append(psnr(restored.image, one))
        size = Size(*photo.shape[:2])
        overlap = int(tiled.settings["overlap"])
        grid = tile_grid(size, restored.tile, overlap, multiple, step)
        for axis, starts, side in (
            (0, grid.tops, grid.tile.height),
            (1, grid.lefts, grid.tile.width),
        ):
            ends = [start + side for start in starts[:-1]]
            borders = [*(end - overlap for end in ends), *ends]
            for steps, total in (
                (borders, border_steps),
                (_others(size, axis, borders), other_steps),
            ):
                total += [_steps(picture, axis, steps) for picture in (restored.image, one)]
    ratio = (border_steps[0] / border_steps[1]) / (other_steps[0] / other_steps[1])
    return Seams(float(np.mean(distances)), float(ratio))


def _others(size: Size, axis: int, borders: Sequence[int]) -> list[int]:
    length = size.height if axis == 0 else size.width
    return sorted(set(range(1, length)) - set(borders))


def _steps(picture: Picture, axis: int, positions: Sequence[int]) -> float:
    """Sum of absolute steps from the line before to the line at each position."""
    along = np.moveaxis(picture, axis, 0).astype(np.int16)
    indices = np.asarray(positions, dtype=int)
    return float(np.abs(along[indices] - along[indices - 1]).sum())


def main() -> int:
    """Compare several tile sizes with both kinds of pooling."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("--task", default="motion")
    parser.add_argument("--tiles", type=int, nargs="*", default=[256, 384, 512])
    parser.add_argument("--pooling", type=int, nargs="*", default=[0, 128, 256])
    options = parser.parse_args()
    photos = load_sharp(options.photos)
    resolved = resolve_weights(options.task, offline=True)
    assert resolved.entry is not None
    shipped = dict(resolved.entry.inference)
    print(f"{resolved.id}, {len(photos)} photos; shipped: {shipped}")
    missed = False
    for pooling in options.pooling:
        advice = shipped | {"pooling": pooling}
        for tile in options.tiles:
            model = load_weights(resolved)
            whole = Deblurrer(model, tile=0, advice=advice)
            tiled = Deblurrer(load_weights(resolved), tile=tile, advice=advice)
            described = model.descriptor
            seams = compare(photos, whole, tiled, described.size.multiple, described.tiling.step)
            passed = seams.psnr >= PSNR_BAR and abs(seams.contrast - 1) <= CONTRAST_BAR
            missed |= not passed and pooling == shipped.get("pooling", 0)
            print(
                f"pooling {pooling:4}  tile {tile:4}  tiled to whole {seams.psnr:6.2f} dB"
                f"  seam contrast {seams.contrast:.4f}  {'ok' if passed else 'MISSED'}",
                flush=True,
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
