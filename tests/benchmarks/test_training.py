"""The profile of a training step: every part and every scan is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from benchmarks import training
from deblur_cli.training.recipe import parse_recipe

RECIPE = """
task = "motion"
architecture = "algnet"
[network]
width = 4
encoder_blocks = [1, 1]
decoder_blocks = [1, 1]
state_size = 4
[data]
sharp = "."
[data.shares]
motion = 1
"""


def test_a_step_has_all_its_parts() -> None:
    recipe = parse_recipe("tiny", RECIPE)
    profile = training.profile_step(recipe, torch.device("cpu"), torch.float32, 2, 16, steps=1)
    parts = (profile.data, profile.forward, profile.backward, profile.optimiser, profile.scan)
    assert min(parts) > 0
    assert profile.step == sum(parts[:4])
    assert profile.patches_per_second == 2 / profile.queued
    assert profile.peak_memory is None


def test_it_needs_neither_opencv_nor_numba_nor_safetensors_at_import() -> None:
    program = (
        "import sys\n"
        "for name in ('cv2', 'numba', 'safetensors', 'PIL'): sys.modules[name] = None\n"
        "import benchmarks.training\n"
    )
    folder = Path(training.__file__).parents[1]
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
