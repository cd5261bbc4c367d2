"""Measures a candidate on a set: threads read and judge while the network works."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from deblur_cli.data.pairs import Pair
from deblur_cli.data.photos import read_native, read_rgb
from deblur_cli.errors import DeblurError, IncomparableError
from deblur_cli.evaluation.ahead import in_advance
from deblur_cli.evaluation.candidates import Candidate
from deblur_cli.evaluation.measures import Kit, Reading, Shot, instrument
from deblur_cli.evaluation.protocols import Protocol
from deblur_cli.evaluation.saving import save_picture, saved
from deblur_cli.evaluation.scores import Failure, Score
from deblur_cli.imaging.photo import Image
from deblur_cli.metrics.error import peak

_MOST_THREADS = 16


@dataclass(frozen=True)
class _Opened:
    """What was read of one picture."""

    pair: Pair
    blurred: Image
    given: Image
    """What the candidate makes its picture from: the blurred one, or an earlier result."""
    truth: Image


@dataclass(frozen=True)
class _Restored:
    opened: _Opened
    image: Image


def evaluate(
    pairs: Sequence[Pair],
    protocol: Protocol,
    candidate: Candidate,
    save: Path | None = None,
    kit: Kit | None = None,
) -> Iterator[Score | Failure]:
    """Measure pictures, in their order; those that cannot be read or compared are told.

    Memory holds a few pictures for each thread, however many there are.

    Args:
        pairs: the pictures.
        protocol: what is measured.
        candidate: what makes the pictures that are measured.
        save: folder for these, as PNG of 8 bits, or of 16 where they are not rounded to 8.
        kit: for metrics with networks of their own.

    Raises:
        RestoreError: memory does not suffice for the smallest tile.
        ImageWriteError, UsageError: `save` is not writable.
        MissingExtraError, WeightsError: as `instrument`.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damage is told by us
    read = instrument(protocol.measures, kit or Kit())
    threads = min(os.cpu_count() or 1, _MOST_THREADS)

    def judge(restored: _Restored | Failure) -> Score | Failure:
        if isinstance(restored, Failure):
            return restored
        return _judge(restored, read, save)

    with (
        ThreadPoolExecutor(threads, "read") as readers,
        ThreadPoolExecutor(threads, "judge") as judges,
    ):
        opened = in_advance(
            readers, lambda pair: _open(pair, protocol, candidate), pairs, threads + 1
        )
        yield from in_advance(judges, judge, _restore(opened, candidate), threads + 1)


def restore_one(pair: Pair, protocol: Protocol, candidate: Candidate) -> Shot:
    """A single picture as `evaluate` measures it.

    Raises:
        ImageReadError: a file is damaged.
        RestoreError: memory does not suffice for the smallest tile.
    """
    opened = _open(pair, protocol, candidate)
    if isinstance(opened, Failure):
        raise opened.error
    (image,) = candidate.stream([opened.given])
    return Shot(opened.blurred, image, opened.truth)


def _restore(
    opened: Iterator[_Opened | Failure], candidate: Candidate
) -> Iterator[_Restored | Failure]:
    waiting: deque[_Opened] = deque()
    failures: deque[Failure] = deque()

    def given() -> Iterator[Image]:
        for one in opened:
            if isinstance(one, Failure):
                failures.append(one)
            else:
                waiting.append(one)
                yield one.given

    for image in candidate.stream(given()):
        while failures:
            yield failures.popleft()
        yield _Restored(waiting.popleft(), image)
    yield from failures


def _open(pair: Pair, protocol: Protocol, candidate: Candidate) -> _Opened | Failure:
    try:
        blurred = _read(pair.blurred, protocol)
        source = candidate.source(pair)
        given = blurred if source == pair.blurred else _read_result(source, protocol)
        truth = blurred if pair.sharp in (None, pair.blurred) else _read(pair.sharp, protocol)
    except DeblurError as error:
        return Failure(pair.name, error)
    return _Opened(pair, blurred, given, truth)


def _read(path: Path, protocol: Protocol) -> Image:
    pixels = read_rgb(path)
    return _as_floats(pixels) if protocol.samples == "float32" else pixels


def _read_result(path: Path, protocol: Protocol) -> Image:
    """As `_read`, but all bits of a result that need not be rounded."""
    return _as_floats(read_native(path)) if protocol.samples == "float32" else read_rgb(path)


def _as_floats(pixels: Image) -> Image:
    return pixels.astype(np.float32) / np.float32(peak(pixels))


def _judge(
    restored: _Restored, read: Callable[[Shot], Reading], save: Path | None
) -> Score | Failure:
    opened = restored.opened
    if save is not None:
        save_picture(saved(save, opened.pair.name), restored.image)
    try:
        reading = read(Shot(opened.blurred, restored.image, opened.truth))
    except IncomparableError as error:
        return Failure(opened.pair.name, error)
    return Score(opened.pair.name, reading.figures, reading.features)
