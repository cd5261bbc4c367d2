"""Several processes train like one, and end together."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deblur_cli.errors import UsageError
from deblur_cli.training.distributed import joined_ranks
from deblur_cli.training.session import TrainingOptions
from tests.training.runs import curve, run_steps

STEPS = 12
SECOND_STOPS_AT_5 = """
import os, signal
from deblur_cli.cli import app
from deblur_cli.training import loop
from deblur_cli.training.learner import Learner

loop.LOG_EVERY_STEPS = 1
step, done = Learner.step, []

def stopping(*arguments):
    done.append(step(*arguments))
    if len(done) == 5 and os.environ.get("RANK") == "1":
        os.kill(os.getpid(), signal.SIGTERM)
    return done[-1]

Learner.step = stopping
app.main()
"""
REPOSITORY = Path(__file__).parents[2]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1")


def command(options: TrainingOptions, *more: str) -> list[str]:
    return [
        *("train", options.recipe, "--data", str(options.data)),
        *("-o", str(options.folder), "--dtype", "float32", "--batch", "4"),
        *("--iterations", str(STEPS), *more),
    ]


def start(arguments: Sequence[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"} | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_give_the_curve_of_one_and_stop_and_go_on_like_one(
    options: TrainingOptions,
) -> None:
    overrides = ("optimiser.batch=4", f"iterations={STEPS}")
    options = replace(options, overrides=overrides)
    whole = replace(options, folder=options.folder.with_name("whole"))
    run_steps(whole)
    script = options.data / "stopping.py"
    script.write_text(SECOND_STOPS_AT_5)
    launched = start([*TORCHRUN, "--nproc-per-node", "2", str(script), *command(options)])
    lines = launched.communicate(timeout=120)[1].splitlines()
    assert sum(line.startswith("interrupted; the same command") for line in lines) == 1
    assert sum(line.startswith("cpu in float32, 2 processes") for line in lines) == 1
    assert len(curve(options.folder)) == 5
    run_steps(options)  # alone, from where both stood
    one, two = (np.array(curve(o.folder), np.float64) for o in (whole, options))
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-4)


def test_when_one_process_fails_all_end_with_one_line(options: TrainingOptions) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    launch = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    processes = [
        start(
            ["-m", "deblur_cli", *command(options, "--device", device)],
            RANK=str(rank),
            LOCAL_RANK="0",
            **launch,
        )
        for rank, device in enumerate(("cpu", "cuda:99"))
    ]
    messages = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [1, 1]
    (line,) = (line for line in "".join(messages).splitlines() if line.startswith("deblur:"))
    assert line.startswith("deblur: process 1: the device 'cuda:99' is not present here")


def test_a_process_that_finds_no_others_says_how_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="torchrun --nproc-per-node"), joined_ranks():
        pass
