"""`deblur train` as a process: it trains, stops politely, and goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

RECIPE = """
task = "motion"
architecture = "algnet"
[network]
width = 4
encoder_blocks = [1]
decoder_blocks = [1]
global_levels = []
[optimiser]
batch = 1
patch = 32
[data]
sharp = "."
[data.shares]
unblurred = 1
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    photo = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE)
    run = ["train", str(recipe), "--data", str(tmp_path), "--output", str(tmp_path / "run")]
    return [sys.executable, "-m", "deblur_cli", *run, "--minutes"]


def test_sigterm_saves_the_run_and_the_same_command_goes_on(
    command: list[str], tmp_path: Path
) -> None:
    process = subprocess.Popen([*command, "60"], stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "run" / "recipe.toml").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "goes on from here" in messages
    finished = subprocess.run([*command, "0.01"], capture_output=True, text=True)
    assert finished.returncode == 0
    assert Path(finished.stdout.strip()) == tmp_path / "run" / "weights.safetensors"
    assert Path(finished.stdout.strip()).is_file()


def test_mistakes_are_one_line_and_exit_code_2(command: list[str]) -> None:
    finished = subprocess.run([*command, "1", "--dtype", "int8"], capture_output=True, text=True)
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
