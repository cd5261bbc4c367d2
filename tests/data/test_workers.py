"""Streams in processes of their own: the same batches as without, and an end in all cases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from deblur_cli.data import workers
from deblur_cli.data.camera import Picture
from deblur_cli.data.crops import PicturePair
from deblur_cli.data.datasets import open_dataset
from deblur_cli.data.disk_pairs import DiskPairs
from deblur_cli.data.pairs import Pair
from deblur_cli.data.patches import PatchStream
from deblur_cli.data.pool import RollingPool
from deblur_cli.data.sources import RealPairs
from deblur_cli.data.workers import WorkerStream
from deblur_cli.errors import DeblurError
from tests.data.layouts import textured, write_flat

REPOSITORY = Path(__file__).parents[2]
PHOTO = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


def made(photo: Picture, rng: np.random.Generator) -> PicturePair:
    corner = int(rng.integers(20))
    crop = photo[corner : corner + 40, corner : corner + 40]
    return crop // 2, crop


def make_stream(photo: Picture, seed: int) -> PatchStream:
    pool = RollingPool(partial(made, photo), seed, capacity=6, reuse=2, first=2)
    real = RealPairs([(photo // 3, photo)], size=40)
    return PatchStream([(1.0, pool), (lambda progress: progress, real)], 16, 3, seed)


def of_a_set(pairs: tuple[Pair, ...], seed: int) -> PatchStream:
    return PatchStream([(1.0, RollingPool(DiskPairs(pairs, 16, 32), seed))], 16, 1, seed)


def about_the_process(seed: int) -> PatchStream:
    def pair(rng: np.random.Generator) -> PicturePair:
        values = np.full((8, 8, 3), "torch" in sys.modules, np.uint8)
        return values, values

    return PatchStream([(1.0, pair)], 8, 1, seed)


MAKE = partial(make_stream, PHOTO)


@pytest.fixture(scope="module")
def stream() -> Iterator[WorkerStream]:
    """Two workers before their first batch."""
    with closing(WorkerStream(MAKE, seed=5, workers=2)) as workers:
        yield workers


def assert_same(one: tuple[Picture, Picture], other: tuple[Picture, Picture]) -> None:
    for first, second in zip(one, other, strict=True):
        assert np.array_equal(first, second)


def test_batches_come_in_turn_and_a_stream_goes_on_where_another_stood(
    stream: WorkerStream,
) -> None:
    alone = [MAKE(workers._worker_seed(5, number)) for number in range(2)]
    progress = [number / 10 for number in range(10)]
    asked = [0.0, 0.0, *progress]  # each worker is one batch ahead
    for number in range(5):
        assert_same(stream.batch(progress[number]), alone[number % 2].batch(asked[number]))
    state = stream.state()
    with closing(WorkerStream(MAKE, seed=5, workers=2)) as resumed:
        resumed.resume(state)
        assert resumed.state() == state
        for number in range(5, 9):
            expected = alone[number % 2].batch(asked[number])
            assert_same(stream.batch(progress[number]), expected)
            assert_same(resumed.batch(progress[number]), expected)


def test_workers_do_without_torch_and_may_be_resumed_before_the_first_batch() -> None:
    with closing(WorkerStream(about_the_process, seed=0, workers=1)) as stream:
        stream.resume(stream.state())
        assert not stream.batch(0.0)[0].any()


def test_a_dead_worker_is_named_and_the_others_end() -> None:
    with closing(WorkerStream(MAKE, seed=5, workers=2)) as stream:
        stream.batch(0.0)
        children = [worker.process for worker in stream._workers]
        os.kill(children[1].pid or 0, signal.SIGKILL)
        with pytest.raises(DeblurError, match=r"data worker 1 has died \(signal 9\)"):
            for _ in range(3):
                stream.batch(0.0)
    assert not any(child.is_alive() for child in children)


def test_a_worker_says_what_the_user_must_know(tmp_path: Path) -> None:
    write_flat(tmp_path, "train", textured(2))
    pairs = open_dataset(".", tmp_path, "train").pairs
    with closing(WorkerStream(partial(of_a_set, pairs), seed=0, workers=1)) as stream:
        for pair in pairs:
            pair.blurred.write_bytes(b"damaged")
        with pytest.raises(DeblurError, match=r"2 of 2 pairs cannot be used: 0000, 0001; .*input"):
            stream.batch(0.0)


def test_interrupts_are_left_to_the_training(stream: WorkerStream) -> None:
    stream.batch(0.5)
    for worker in stream._workers:
        os.kill(worker.process.pid or 0, signal.SIGINT)
        os.kill(worker.process.pid or 0, signal.SIGTERM)
    for _ in range(4):
        stream.batch(0.5)


def test_workers_end_when_the_training_is_killed() -> None:
    program = (
        "from tests.data.test_workers import MAKE, WorkerStream\n"
        "stream = WorkerStream(MAKE, seed=5, workers=2)\n"
        "stream.batch(0.0)\n"
        "print(*(worker.process.pid for worker in stream._workers), flush=True)\n"
        "while True: stream.batch(0.0)\n"
    )
    training = subprocess.Popen(
        [sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert training.stdout is not None
    children = [int(pid) for pid in training.stdout.readline().split()]
    assert len(children) == 2
    training.kill()
    training.wait()
    deadline = time.monotonic() + 60
    while any(map(is_running, children)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
