"""Sections run in another process: a kernel that crashes or hangs takes nothing else along."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from benchmarks.gpu.bench import Bench, DeviceLostError, describe
from benchmarks.gpu.events import Check, Event, Skipped
from benchmarks.gpu.sections import Section
from benchmarks.gpu.sizes import FULL, TOY

GRACE = 40.0
"""Seconds a section may run over before it counts as hanging: one compilation or figure."""

PARTING = 5.0
"""Seconds for a killed process to go; one that hangs in the driver is left to it."""


@dataclass(frozen=True)
class Settings:
    """What the processes are told."""

    device: str
    dry_run: bool
    samples: Path


@dataclass(frozen=True)
class _Done:
    """Start or section are over; `usable` says whether the process can run another section."""

    usable: bool


def run_sections(
    sections: Sequence[Section],
    settings: Settings,
    record: Callable[[Event], None],
    seconds: float,
) -> None:
    """Run all sections, one process for as long as it lives; what does not fit in is skipped.

    Args:
        sections: their functions must be found by import in a fresh process.
        settings: for all of them.
        record: takes every event as it comes.
        seconds: for everything together.
    """
    end = time.monotonic() + seconds
    worker: _Worker | None = None
    try:
        for section in sections:
            left = end - time.monotonic()
            if left <= 0:
                record(Skipped(section.name, "out of time"))
                continue
            worker = worker or _Worker(settings)
            if not worker.run(section, record, end):
                worker.close()
                worker = None
    finally:
        if worker:
            worker.close()


class _Worker:
    """The process, seen from the one that started it."""

    def __init__(self, settings: Settings) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(settings, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._started = False

    def run(self, section: Section, record: Callable[[Event], None], end: float) -> bool:
        """Run one section; says whether the process can run another.

        Args:
            section: is given up `GRACE` after its seconds are over.
            record: takes its events as they come.
            end: when it is given up at the latest, by `time.monotonic`.
        """
        try:
            if not self._started:
                self._await_start(end)
            now = time.monotonic()
            allowed = min(section.seconds, end - now)
            end = min(end, now + allowed + GRACE)
            self._connection.send((section, allowed))
            while self._connection.poll(max(0.0, end - time.monotonic())):
                message = self._connection.recv()
                if isinstance(message, _Done):
                    return message.usable
                record(message)
            problem = "did not end in time and was stopped"
        except (EOFError, OSError):
            self._process.join(GRACE)
            problem = f"its process died with exit code {self._process.exitcode}"
        record(Check("sections", section.name, False, problem))
        return False

    def _await_start(self, end: float) -> None:
        """Imports take seconds; they do not count as the section's."""
        if not self._connection.poll(max(0.0, end - time.monotonic())):
            raise EOFError
        self._connection.recv()
        self._started = True

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.kill()
        self._process.join(PARTING)


def _serve(settings: Settings, connection: Connection) -> None:
    """Run the sections that are asked for, until the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection.send(_Done(usable=True))
    device, sizes = torch.device(settings.device), TOY if settings.dry_run else FULL
    while True:
        try:
            section, seconds = connection.recv()
        except EOFError:
            return
        deadline = time.monotonic() + seconds
        bench = Bench(device, sizes, settings.samples, connection.send, deadline)
        connection.send(_Done(_run(section, bench)))


def _run(section: Section, bench: Bench) -> bool:
    """Run one section to its end or to its first own error; says whether the device still works."""
    try:
        section.run(bench)
    except DeviceLostError as error:
        bench.record(Skipped(f"the rest of section '{section.name}'", f"device lost: {error}"))
        return False
    except Exception as error:
        bench.record(Check("sections", section.name, False, describe(error)))
        return False
    return True
