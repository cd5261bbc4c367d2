"""Patch streams in processes of their own, so that synthesis of blur never starves the training."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TypedDict

import cv2
import numpy as np

from deblur_cli.data.camera import Picture
from deblur_cli.data.patches import PatchStream, StreamState
from deblur_cli.data.shared import Shared
from deblur_cli.errors import DeblurError

MakeStream = Callable[[int], PatchStream]
"""Makes a stream from a seed; must be picklable."""

GRACE_SECONDS = 5.0
"""How long a worker may take to end."""


class WorkersState(TypedDict):
    """All that a stream of workers needs to go on where it stood."""

    drawn: int
    """Batches taken so far."""
    streams: list[StreamState | None]
    """Each worker's stream after the last batch taken from it; None before the first."""
    asked: list[float]
    """The progress at which each worker's next batch was asked for; empty before the first."""


class WorkerStream:
    """Batches from several processes in turn, each with a `PatchStream` of its own.

    Every process has its next batch ready or in the making. Batch number k comes from worker k
    modulo their number, so equal seeds and numbers of workers give equal batches. It was made at
    the progress that held as many batches ago as there are workers. The processes end with this
    one, even if it is killed.
    """

    def __init__(self, make_stream: MakeStream, seed: int, workers: int) -> None:
        """Start the processes.

        Args:
            make_stream: called in each process; its arrays are shared, not copied.
            seed: each worker's own is drawn from it.
            workers: number of processes, at least one.
        """
        context = multiprocessing.get_context("spawn")
        shared = Shared(make_stream, context)
        self._workers = [_Worker(context, shared, seed, number) for number in range(workers)]
        self._state: WorkersState = {"drawn": 0, "streams": [None] * workers, "asked": []}

    def batch(self, progress: float) -> tuple[Picture, Picture]:
        """The next batch, as `PatchStream.batch` returns it.

        Args:
            progress: of the training, in [0, 1]; the next batch of the same worker is made at it.

        Raises:
            DeblurError: the worker whose turn it is has died, or no pair can be used.
        """
        state = self._state
        if not state["asked"]:
            state["asked"] = [progress] * len(self._workers)
            self._ask_all()
        turn = state["drawn"] % len(self._workers)
        blurred, sharp, state["streams"][turn] = self._workers[turn].receive()
        state["asked"][turn] = progress
        self._workers[turn].send(progress)
        state["drawn"] += 1
        return blurred, sharp

    def state(self) -> WorkersState:
        """What `resume` needs, to be saved with a checkpoint."""
        state = self._state
        return {
            "drawn": state["drawn"],
            "streams": list(state["streams"]),
            "asked": list(state["asked"]),
        }

    @property
    def faults(self) -> list[str]:
        """As `PatchStream.faults`, of all workers; each fault once."""
        streams = (stream for stream in self._state["streams"] if stream is not None)
        return list(dict.fromkeys(fault for stream in streams for fault in stream["faults"]))

    def resume(self, state: WorkersState) -> None:
        """Let a fresh stream go on exactly where another of the same seed and size stood."""
        self._state = state
        for worker, stream in zip(self._workers, state["streams"], strict=True):
            if stream is not None:
                worker.send(stream)
        self._ask_all()

    def _ask_all(self) -> None:
        for worker, progress in zip(self._workers, self._state["asked"], strict=False):
            worker.send(progress)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.end()


class _Worker:
    """This process's end of one worker."""

    def __init__(
        self, context: SpawnContext, shared: Shared[MakeStream], seed: int, number: int
    ) -> None:
        self.number = number
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=_serve,
            args=(theirs, shared, _worker_seed(seed, number)),
            name=f"patches-{number}",
            daemon=True,
        )
        self.process.start()
        theirs.close()

    def send(self, message: float | StreamState) -> None:
        try:
            self.connection.send(message)
        except OSError:
            raise self._death() from None

    def receive(self) -> tuple[Picture, Picture, StreamState]:
        try:
            answer: tuple[Picture, Picture, StreamState] | str = self.connection.recv()
        except (EOFError, OSError):
            raise self._death() from None
        if isinstance(answer, str):
            raise DeblurError(answer)
        return answer

    def end(self) -> None:
        """Wait for a worker whose connection is closed; kill it if it does not end by itself."""
        self.process.join(GRACE_SECONDS)
        self.process.kill()
        self.process.join()

    def _death(self) -> DeblurError:
        self.process.join(GRACE_SECONDS)
        code = self.process.exitcode
        cause = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return DeblurError(
            f"data worker {self.number} has died ({cause})",
            remedy="if memory ran out, use fewer --workers",
        )


def _worker_seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0])


def _serve(connection: Connection, shared: Shared[MakeStream], seed: int) -> None:
    """Answer each progress with a batch and the state after it, until the other side is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the training stops its workers when it is done
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damage is told by us
    stream = shared.load()(seed)
    with suppress(EOFError, OSError):
        while True:
            message: float | StreamState = connection.recv()
            if isinstance(message, dict):
                stream.resume(message)
            else:
                connection.send(_answer(stream, message))


def _answer(stream: PatchStream, progress: float) -> tuple[Picture, Picture, StreamState] | str:
    """A batch and the state after it, or what the user must know instead."""
    try:
        return (*stream.batch(progress), stream.state())
    except DeblurError as error:
        return str(error)
