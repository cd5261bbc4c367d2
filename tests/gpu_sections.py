"""Sections of the GPU benchmark that end badly, for a process that must import them."""

from __future__ import annotations

import os
import time

from benchmarks.gpu.bench import Bench

EXIT_CODE = 7


def passes(bench: Bench) -> None:
    bench.check("group", "passes", lambda: 0.0)


def dies(bench: Bench) -> None:
    os._exit(EXIT_CODE)


def hangs(bench: Bench) -> None:
    time.sleep(3600)


def raises(bench: Bench) -> None:
    raise ValueError("no good")
