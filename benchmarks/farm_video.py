"""What a Ray cluster gains and costs for a video: two workers against one, parts against frames.

    python -m benchmarks.farm_video

starts a cluster on this machine. First the bundled network restores a clip of small frames with one
worker of one thread and with two, in turn: how much faster two are, by the clock. Then a network
that leaves frames as they are shows what is left for the command itself to do, by its processor
time for a frame of 720 lines: with parts of the clip, which workers decode and encode, and with
single frames, which the command decodes, sends and encodes. What it takes to join and verify the
result is in both. Exits with 1 if two workers are not `GAIN_BAR` times as fast as one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.farm import GAIN_BAR, MODEL, Workers
from benchmarks.video import IdentityOfFrames, make_clip
from deblur_cli.cli.options import ModelOptions
from deblur_cli.cli.run_ray import pack
from deblur_cli.pipeline.clips.events import ClipRestored
from deblur_cli.pipeline.clips.job import ClipJob, Wish
from deblur_cli.pipeline.clips.restoration import ClipRestoration
from deblur_cli.pipeline.clips.restorers import InOrder, Restorer
from deblur_cli.pipeline.cluster.crew import Crew
from deblur_cli.pipeline.cluster.parts import ByParts
from deblur_cli.pipeline.cluster.ray_cluster import connected
from deblur_cli.pipeline.cluster.stream import ClusterDeblurrer
from deblur_cli.pipeline.cluster.worker import Loader


class Still(IdentityOfFrames):
    """The same for a worker on a cluster."""

    source = "nowhere"


def load_still(device: str, weights: bytes) -> Any:
    """What workers make the network of that leaves frames as they are."""
    return Still()


def by_parts(crew: Crew[Any]) -> Restorer:
    """Workers that restore parts of a clip."""
    return ByParts(crew, print)


def by_frames(crew: Crew[Any]) -> Restorer:
    """Workers that restore single frames."""
    return InOrder(ClusterDeblurrer(crew))


@contextmanager
def crew_of(count: int, load: Loader, weights: bytes) -> Iterator[Crew[Any]]:
    """So many workers, all of them ready."""
    crew: Crew[Any] = Crew(Workers(load, weights, count), print)
    try:
        while len(crew.profiles) < count:
            list(crew.news())
            crew.first()
        yield crew
    finally:
        crew.dismiss()


def course_of(clip: Path, restorer: Restorer) -> tuple[float, float]:
    """Seconds by the clock and of this process's processor for a frame of a clip.

    Raises:
        RuntimeError: it was not restored.
    """
    with tempfile.TemporaryDirectory(dir=clip.parent) as folder:
        job = ClipJob(clip, Path(folder, "out.mkv"), Wish(codec="libx264"))
        clock, driver = time.perf_counter(), time.process_time()
        *_, ended = ClipRestoration(job, restorer).run(threading.Event())
        clock, driver = time.perf_counter() - clock, time.process_time() - driver
    if not isinstance(ended, ClipRestored):
        raise RuntimeError(f"it was not restored: {ended}")
    return clock / ended.frames, driver / ended.frames


def gain_of_two(clip: Path, rounds: int) -> float:
    """How much faster two workers are than one: median of rounds, after one that does not count."""
    load, weights = pack(ModelOptions(model=MODEL, device="cpu", offline=True))
    gains = []
    for _ in range(1 + rounds):
        clocks = []
        for count in (1, 2):
            with crew_of(count, load, weights) as crew:
                clocks.append(course_of(clip, by_parts(crew))[0])
        gains.append(clocks[0] / clocks[1])
    return median(gains[1:])


def driver_seconds(clip: Path, way: Callable[[Crew[Any]], Restorer], rounds: int) -> float:
    """Processor time of this process for a frame: median, after one round that does not count."""
    with crew_of(1, load_still, b"") as crew:
        return median([course_of(clip, way(crew))[1] for _ in range(1 + rounds)][1:])


def main() -> int:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=960, help="for the comparison of workers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, connected("local"):
        small = make_clip(Path(folder, "small.mp4"), options.frames, 48, 64)
        gain = gain_of_two(small, options.rounds)
        print(f"two workers are {gain:.2f} times as fast as one", flush=True)
        large = make_clip(Path(folder, "large.mp4"), 240)
        for name, way in (("parts", by_parts), ("single frames", by_frames)):
            seconds = driver_seconds(large, way, options.rounds)
            print(f"{name}: the command spends {1000 * seconds:.1f} ms on a frame", flush=True)
    print("ok" if gain >= GAIN_BAR else "MISSED")
    return int(gain < GAIN_BAR)


if __name__ == "__main__":
    sys.exit(main())
