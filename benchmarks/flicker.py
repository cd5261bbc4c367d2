"""What tiling adds to the flicker of a restored video: the warping error, tiled against whole.

    python -m benchmarks.flicker [CLIP...]

Frames of a still scene, made here, blurred and with noise that is new in each, and those of given
clips are restored whole and in tiles. The warping error (`deblur_cli.metrics.flicker`, along the
movements of the input) is shown in code values of 8 bits: of the input, of both results, and of
both where tiles overlap alone. Exits with 1 if a tiled result has more than `BAR` times the error
of the whole one, all over or there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.batch import scene
from deblur_cli.data.camera import Picture
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.inference.tiles import Size, tile_grid
from deblur_cli.metrics.flicker import Movement, movement, warped_difference
from deblur_cli.video.clip import probe
from deblur_cli.video.colour import to_rgb
from deblur_cli.video.reader import Reader, Selection

BAR = 1.01
HEIGHT, WIDTH = 360, 640
_BLUR = (9, 1)
_NOISE = 3.0
_MULTIPLE = 8


@dataclass(frozen=True)
class Flicker:
    """Warping errors in code values of 8 bits, means over frames."""

    whole: float
    tiled: float
    whole_between: float
    """Where tiles overlap."""
    tiled_between: float
    given: float
    """Of the input."""

    @property
    def added(self) -> float:
        """By tiling: what the error is multiplied by, at worst."""
        return max(self.tiled / self.whole, self.tiled_between / self.whole_between)


def still_scene(frames: int, height: int = HEIGHT, width: int = WIDTH) -> list[Picture]:
    """Frames that differ in their noise alone."""
    random = np.random.default_rng(0)
    shaken = cv2.blur(scene(0, height, width), _BLUR)
    noise = _NOISE * random.standard_normal((frames, *shaken.shape), np.float32)
    return [(shaken + each).clip(0, 255).astype(np.uint8) for each in noise]


def frames_of(clip: Path, start: float, frames: int) -> list[Picture]:
    """Some frames of a clip, RGB."""
    reader = Reader(probe(clip), Selection(start=start))
    return [to_rgb(frame.picture) for frame in islice(reader.frames(), frames)]


def overlaps(size: Size, tile: int, overlap: int, multiple: int) -> npt.NDArray[np.bool_]:
    """Where a picture lies in several tiles, `(H,W)`."""
    tiles = np.zeros((size.height, size.width), np.int32)
    for row in tile_grid(size, tile, overlap, multiple).rows():
        for region in row:
            tiles[region.rows, region.columns] += 1
    return tiles > 1


def compare(frames: Sequence[Picture], whole: Deblurrer, tiled: Deblurrer) -> Flicker:
    """Restore frames both ways; ValueError if one tile holds them."""
    plain = [each.image for each in whole.stream(frames)]
    pieces = list(tiled.stream(frames))
    if pieces[0].tiles == 1:
        raise ValueError("the frames are not larger than a tile")
    size, overlap = Size(*frames[0].shape[:2]), int(tiled.settings["overlap"])
    between = overlaps(size, pieces[0].tile, overlap, _MULTIPLE)
    movements = [movement(*pair) for pair in pairwise(frames)]
    narrow = [replace(moved, seen=moved.seen & between) for moved in movements]
    parts = [piece.image for piece in pieces]
    return Flicker(
        _error(plain, movements),
        _error(parts, movements),
        _error(plain, narrow),
        _error(parts, narrow),
        _error(frames, movements),
    )


def _error(frames: Sequence[Picture], movements: Sequence[Movement]) -> float:
    pairs = zip(pairwise(frames), movements, strict=True)
    return 255 * float(np.nanmean([warped_difference(*pair, moved) for pair, moved in pairs]))


def main() -> int:
    """Compare on a still scene and on each clip."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="*", help="videos")
    parser.add_argument("--start", type=float, default=0.0, help="second of the clips")
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--tile", type=int, default=448)
    parser.add_argument("--model", default="algnet-small-motion", help="id of the weights")
    options = parser.parse_args()
    whole, tiled = (
        Deblurrer.from_pretrained(model=options.model, tile=tile) for tile in (0, options.tile)
    )
    print(f"{whole.summary}; {tiled.summary}", flush=True)
    worst = 0.0
    scenes = {"still scene": still_scene(options.frames)}
    for clip in options.clips:
        scenes[clip.name] = frames_of(clip, options.start, options.frames)
    for name, frames in scenes.items():
        found = compare(frames, whole, tiled)
        worst = max(worst, found.added)
        print(
            f"{name}: input {found.given:.2f}, whole {found.whole:.3f}, tiled {found.tiled:.3f}; "
            f"where tiles overlap: whole {found.whole_between:.3f}, "
            f"tiled {found.tiled_between:.3f}",
            flush=True,
        )
    print(f"tiling multiplies it by {worst:.4f} at worst: {'ok' if worst <= BAR else 'MISSED'}")
    return int(worst > BAR)


if __name__ == "__main__":
    sys.exit(main())
