"""A run that is killed goes on from its last saved state, to the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from deblur_cli.training.session import TrainingOptions
from tests.training.runs import assert_same, curve, run_steps, state_of

STEPS = 16
KILLED_WHILE_SAVING = """
import os, signal, torch
from deblur_cli.cli import app
from deblur_cli.training import loop

loop.LOG_EVERY_STEPS = 1
save_state = loop.save_state

def dying(run, progress):
    if progress.step == 9:
        torch.save = lambda content, path: path.write_bytes(b"half") and kill()
    if progress.step != 8:
        save_state(run, progress)

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

loop.save_state = dying
loop.SAVE_EVERY_SECONDS = 0.0
app.main()
"""
OVERRIDES = (f"iterations={STEPS}", "optimiser.ema_decay=0.9", "optimiser.accumulation=2")


def test_a_killed_run_goes_on_to_the_same_bits(options: TrainingOptions) -> None:
    options = replace(options, overrides=OVERRIDES)
    whole = replace(options, folder=options.folder.with_name("whole"))
    run_steps(whole)
    arguments = [argument for override in OVERRIDES for argument in ("--set", override)]
    process = subprocess.run(
        [
            *(sys.executable, "-c", KILLED_WHILE_SAVING, "train", options.recipe, *arguments),
            *("--data", str(options.data), "-o", str(options.folder), "--dtype", "float32"),
        ],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.DEVNULL,
    )
    assert process.returncode == -signal.SIGKILL
    assert len(curve(options.folder)) == 9
    assert state_of(options)["step"] == 7
    run_steps(options)
    assert curve(options.folder) == curve(whole.folder)
    resumed, uninterrupted = state_of(options), state_of(whole)
    for state in (resumed, uninterrupted):
        del state["spent"]
    assert_same(resumed, uninterrupted)
