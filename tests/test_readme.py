"""Every command and every line of Python in the README and docs/run.md works as printed there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.checkpoints.run_folder import tiny_model

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text()
RUN = (REPOSITORY / "docs/run.md").read_text()
PICTURES = (
    "blurred.jpg",
    "photos/beach.jpg",
    "photos/town/night.png",
    "scans/page.tif",
    "pairs/blur/1.png",
    "pairs/sharp/1.png",
)


def _blocks(language: str) -> list[str]:
    pages = f"{README}\n{RUN}"
    return re.findall(rf"^```{language}\n(.*?)^```", pages, flags=re.MULTILINE | re.DOTALL)


def _commands(program: str) -> list[str]:
    """The commands after a prompt in the console blocks, without what follows a spaced #."""
    lines = [line for block in _blocks("console") for line in block.splitlines()]
    prompted = [line[2:].split("  #")[0].strip() for line in lines if line.startswith("$ ")]
    return [command for command in dict.fromkeys(prompted) if command.split()[0] == program]


@pytest.fixture
def holiday(tmp_path: Path) -> Path:
    """A folder holding the small files that the README's commands name."""
    rng = np.random.default_rng(5)
    for name in PICTURES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        coarse.resize((48, 36), Image.Resampling.BICUBIC).save(path)
    torch.save({"params": tiny_model(1).network.state_dict()}, tmp_path / "net.pth")
    return tmp_path


def _run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": programs, "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("command", _commands("deblur"))
def test_deblur_command_succeeds(command: str, holiday: Path) -> None:
    finished = _run(command, holiday)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("command", _commands("make"))
def test_make_target_exists(command: str) -> None:
    finished = _run(f"{command} --dry-run", REPOSITORY)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("block", _blocks("python"))
def test_python_example_runs(block: str, holiday: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", block], cwd=holiday, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr


def test_first_screen_shows_the_picture_and_the_two_commands() -> None:
    first_screen = "\n".join(README.splitlines()[:30])
    assert "docs/before-after.jpg" in first_screen
    assert "$ make demo" in first_screen
    assert "$ deblur run" in first_screen


def test_every_option_of_run_is_described() -> None:
    help_text = _run("deblur run --help", REPOSITORY).stdout
    options = set(re.findall(r"--[a-z][a-z-]+", help_text)) - {"--help"}
    assert options
    missing = {option for option in options if f"`{option}" not in RUN}
    assert not missing


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_linked_file_exists(link: str) -> None:
    assert (REPOSITORY / link).exists()


def test_no_other_program_hides_in_the_console_blocks() -> None:
    lines = [line for block in _blocks("console") for line in block.splitlines()]
    programs = {line.split()[1] for line in lines if line.startswith("$ ")}
    assert programs <= {"deblur", "make", "pip"}
    assert shutil.which("make")
