"""What a Ray cluster gains and costs: two workers against one, and the driver's work for a picture.

    python -m benchmarks.farm

starts a cluster on this machine. First the bundled network restores a folder with one worker of one
thread and with two, in turn; by the clock, and as the share of the time in which workers restore,
which other programs on the machine hardly change. Then a network that leaves pictures as they are
shows what is left: what the driver spends on a picture, by its processor time, and how much longer
a picture takes on the cluster than in a batch without one. The bars decide the exit code.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.batch import Identity, make_photos
from deblur_cli.cli.options import ModelOptions
from deblur_cli.cli.run_ray import pack
from deblur_cli.pipeline.batch import AnyBatch
from deblur_cli.pipeline.cluster.batch import ClusterBatch
from deblur_cli.pipeline.cluster.crew import Crew
from deblur_cli.pipeline.cluster.ray_cluster import RayCluster, connected
from deblur_cli.pipeline.cluster.worker import Loader
from deblur_cli.pipeline.discovery.discover import discover
from deblur_cli.pipeline.events import Restored
from deblur_cli.pipeline.images import Batch
from deblur_cli.pipeline.plan import Destination, plan
from deblur_cli.pipeline.treatment import Conduct, Treatment

GAIN_BAR = 1.7
OVERHEAD_BAR = 0.015
MODEL = "algnet-small-motion"


@dataclass(frozen=True)
class Course:
    """Seconds of one batch: by the clock, of this process's processor, of workers on devices."""

    clock: float
    driver: float
    devices: float


class Workers(RayCluster):
    """A part of the cluster."""

    def __init__(self, load: Loader, weights: bytes, count: int) -> None:
        super().__init__(load, weights, device="cpu")
        self._wanted = count

    def places(self) -> int:
        """So many, and no more."""
        return self._wanted


class Still(Identity):
    """The same for a worker on a cluster."""

    source = "nowhere"


def load_still(device: str, weights: bytes) -> Any:
    """What workers make the network of that leaves pictures as they are."""
    return Still()


@contextmanager
def batch_of(count: int, load: Loader, weights: bytes) -> Iterator[ClusterBatch]:
    """A batch with so many workers, all of them ready."""
    crew = Crew(Workers(load, weights, count), print)
    try:
        while len(crew.profiles) < count:
            list(crew.news())
            crew.first()
        yield ClusterBatch(crew, Treatment(), Conduct())
    finally:
        crew.dismiss()


def course_of(batch: AnyBatch, photos: Path) -> Course:
    """Restore all photos into a folder that goes again.

    Raises:
        RuntimeError: a photo was not restored.
    """
    with tempfile.TemporaryDirectory(dir=photos.parent) as results:
        jobs = tuple(plan(discover([photos], Path(results)).sources, Destination(results)))
        clock, driver = time.perf_counter(), time.process_time()
        events = list(batch.run(jobs, threading.Event()))
        clock, driver = time.perf_counter() - clock, time.process_time() - driver
    restored = [event for event in events if isinstance(event, Restored)]
    if len(restored) != len(jobs) or len(events) != len(jobs):
        raise RuntimeError(f"not every photo was restored: {events}")
    return Course(clock, driver, sum(event.seconds for event in restored))


def compare_workers(photos: Path, rounds: int) -> tuple[Sequence[Course], Sequence[Course]]:
    """One worker and two in turn, after one round that does not count."""
    load, weights = pack(ModelOptions(model=MODEL, device="cpu", offline=True))
    one, two = [], []
    for _ in range(1 + rounds):
        for count, courses in ((1, one), (2, two)):
            with batch_of(count, load, weights) as batch:
                course_of(batch, photos)
                courses.append(course_of(batch, photos))
    return one[1:], two[1:]


def compare_ways(photos: Path, rounds: int) -> tuple[Sequence[Course], Sequence[Course]]:
    """A worker on the cluster and this process in turn, with nothing done to pictures."""
    there, here = [], []
    with batch_of(1, load_still, b"") as batch:
        for _ in range(1 + rounds):
            there.append(course_of(batch, photos))
            here.append(course_of(Batch({"cpu": Still()}), photos))  # type: ignore[dict-item]
    return there[1:], here[1:]


def main() -> int:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photos", type=int, default=16, help="for the comparison of workers")
    parser.add_argument("--side", type=int, default=256, help="of each photo, in pixels")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, connected("local"):
        photos, small = Path(folder, "photos"), Path(folder, "small")
        make_photos(photos, options.photos, options.side, options.side)
        make_photos(small, 100, 64, 64)
        one, two = compare_workers(photos, options.rounds)
        gain = median(a.clock / b.clock for a, b in zip(one, two, strict=True))
        busy = [median(c.devices / c.clock for c in courses) for courses in (one, two)]
        print(
            f"two workers are {gain:.2f} times as fast as one by the clock; "
            f"on average {busy[0]:.2f} of one and {busy[1]:.2f} of two restore",
            flush=True,
        )
        there, here = compare_ways(small, options.rounds)
        more = median(a.clock - b.clock for a, b in zip(there, here, strict=True)) / 100
        driver = median(course.driver for course in there) / 100
        print(
            f"the driver spends {1000 * driver:.1f} ms of processor time on a picture; "
            f"by the clock it takes {1000 * more:.1f} ms more than without a cluster"
        )
    is_met = max(gain, busy[1] / busy[0]) >= GAIN_BAR and driver <= OVERHEAD_BAR
    print("ok" if is_met else "MISSED")
    return int(not is_met)


if __name__ == "__main__":
    sys.exit(main())
