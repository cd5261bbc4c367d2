"""What the batch costs around the network: an identity in it, against bare decode and encode.

    python -m benchmarks.batch

A folder of 24-megapixel JPEGs, made here, is decoded to arrays and encoded again in turn by as many
threads of bare Pillow as there are processors to use, and by the batch with all that it does for a
photo: ledger, metadata, files that appear only when complete. Both have the same processors and
memory allocator, and write JPEGs of the same settings. Shown is the speed of the batch relative to
the bare one, by the clock and by processor time, which other programs on the machine disturb less:
medians over rounds, after one that does not count. Exits with 1 if the latter is below `BAR` for
any number of processors.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import PIL.Image
from PIL import JpegImagePlugin
from PIL.ExifTags import IFD, Base

from deblur_cli.data.camera import Picture
from deblur_cli.imaging.photo import Image
from deblur_cli.inference.allocator import reuse_freed_memory
from deblur_cli.inference.painting import Restoration
from deblur_cli.pipeline.discovery.discover import discover
from deblur_cli.pipeline.events import Restored
from deblur_cli.pipeline.images import Batch
from deblur_cli.pipeline.plan import Destination, plan
from deblur_cli.pipeline.treatment import Conduct

BAR = 0.8
HEIGHT, WIDTH = 4000, 6000
_QUALITY = 94
_OCTAVES = range(1, 12)
_ROUGHNESS = 0.75
_CONTRAST, _GRAIN = 45, 3


class Identity:
    """What the batch asks of a `Deblurrer`, with nothing done to the pictures."""

    summary = "identity"
    warnings = ()
    settings: ClassVar = {"model": "identity"}

    def restore(self, image: Image, strength: float = 1.0) -> Restoration:
        """The picture as it is."""
        return Restoration(image, tile=0, tiles=1, redone=0, kept=0, warnings=())


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock, and of all processors together."""

    clock: float
    processor: float


def scene(seed: int, height: int, width: int) -> Picture:
    """`(H,W,3)` uint8 with details of all sizes, as photos have them, and a sensor's grain."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for octave in _OCTAVES:
        coarse = random.standard_normal((1 << octave, 1 << octave, 3), np.float32)
        coarse *= _ROUGHNESS**octave
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    total *= _CONTRAST / total.std()
    total += _GRAIN * random.standard_normal((height, width, 1), np.float32)
    return (128 + total).clip(0, 255).astype(np.uint8)


def make_photos(folder: Path, count: int, height: int = HEIGHT, width: int = WIDTH) -> None:
    """JPEGs as a camera writes them, with EXIF."""
    folder.mkdir(parents=True)
    exif = PIL.Image.Exif()
    exif[Base.Make], exif[Base.Software] = "Maker", "1.0"
    exif.get_ifd(IFD.Exif)[Base.MakerNote] = bytes(20_000)
    for number in range(count):
        image = PIL.Image.fromarray(scene(number, height, width))
        image.save(folder / f"{number:03}.jpg", quality=_QUALITY, subsampling="4:2:0", exif=exif)


def run_bare(photos: Path, results: Path, threads: int) -> None:
    """Decode every photo to an array and encode it with Pillow, and nothing else."""
    results.mkdir()

    def convert(source: Path) -> None:
        with JpegImagePlugin.JpegImageFile(source) as image:
            pixels, tables = np.asarray(image), image.quantization
            subsampling = JpegImagePlugin.get_sampling(image)
        restored = PIL.Image.fromarray(pixels)
        restored.save(results / source.name, qtables=tables, subsampling=subsampling)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(convert, sorted(photos.iterdir())))


def run_batch(photos: Path, results: Path) -> None:
    """The batch with an identity network.

    Raises:
        RuntimeError: a photo was not restored.
    """
    jobs = plan(discover([photos], results).sources, Destination(str(results)))
    batch = Batch({"cpu": Identity()}, conduct=Conduct(software="deblur (identity)"))
    events = list(batch.run(jobs, threading.Event()))
    failed = [event for event in events if not isinstance(event, Restored)]
    if failed or len(events) != len(jobs):
        raise RuntimeError(f"not every photo was restored: {failed}")


def measured(work: Callable[[], object]) -> Cost:
    """What it costs."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - clock, time.process_time() - processor)


def compare(photos: Path, threads: int, rounds: int) -> tuple[Sequence[Cost], Sequence[Cost]]:
    """Bare and batch in turn, `rounds` times each, on `threads` processors."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:threads])
    bare, batch = [], []
    try:
        for _ in range(1 + rounds):
            with tempfile.TemporaryDirectory(dir=photos.parent) as results:
                bare.append(measured(lambda: run_bare(photos, Path(results, "bare"), threads)))
                batch.append(measured(lambda: run_batch(photos, Path(results, "batch"))))
    finally:
        os.sched_setaffinity(0, allowed)
    return bare[1:], batch[1:]


def main() -> int:
    """Compare on each number of processors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=6, help="how many")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    missed = False
    reuse_freed_memory()  # as a Deblurrer does
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder, "photos")
        make_photos(photos, options.photos)
        megabytes = sum(photo.stat().st_size for photo in photos.iterdir()) / 1e6
        print(f"{options.photos} photos, {megabytes / options.photos:.1f} MB each", flush=True)
        for threads in options.threads:
            bare, batch = compare(photos, threads, options.rounds)
            pairs = list(zip(bare, batch, strict=True))
            clock = np.median([one.clock / other.clock for one, other in pairs])
            processor = np.median([one.processor / other.processor for one, other in pairs])
            each = np.median([cost.processor for cost in batch]) / options.photos
            missed |= bool(processor < BAR)
            print(
                f"{threads} threads: {clock:4.0%} of the bare speed by the clock"
                f", {processor:4.0%} by processor time ({each:.2f} s a photo)"
                f"  {'ok' if processor >= BAR else 'MISSED'}",
                flush=True,
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
