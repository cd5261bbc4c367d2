"""`deblur train` as a process: it trains, stops politely, and goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from deblur_cli.cli.app import app
from deblur_cli.cli.train import parse_duration, parse_size
from tests.training.tiny import TINY


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    photo = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY)
    run = ["train", str(recipe), "--data", str(tmp_path), "--output", str(tmp_path / "run")]
    return [sys.executable, "-m", "deblur_cli", *run, "--budget"]


def test_sigterm_saves_the_run_and_the_same_command_goes_on(
    command: list[str], tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [*command, "1h", "--workers", "1"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert any(line.startswith("step 100 ") for line in process.stderr)
    process.send_signal(signal.SIGTERM)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "goes on from here" in messages
    finished = subprocess.run(
        [*command, "0.1s", "--split-checkpoint", "15MB"], capture_output=True, text=True
    )
    assert finished.returncode == 0
    assert "data workers: 1" in finished.stderr
    assert Path(finished.stdout.strip()) == tmp_path / "run" / "weights.safetensors.split"
    assert Path(finished.stdout.strip()).is_file()


def test_mistakes_are_one_line_and_exit_code_2(command: list[str]) -> None:
    finished = subprocess.run([*command, "1m", "--patch", "31"], capture_output=True, text=True)
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1


def test_a_recipe_is_shown_as_toml_with_what_the_command_changes() -> None:
    shown = CliRunner().invoke(
        app,
        ["train", "xyscannet-gopro", "--show", "--batch", "4", "--set", "network.width=72"],
    )
    assert shown.exit_code == 0
    table = tomllib.loads(shown.stdout)
    assert (table["optimiser"]["batch"], table["network"]["width"]) == (4, 72)
    assert table["stages"] == [{"after": 0.5, "patch": 320, "batch": 8}]


def test_iterations_and_validation_pairs_may_be_named_by_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "it's mine"
    shown = CliRunner().invoke(
        app,
        ["train", "small-motion", "--show", "--iterations", "7", "--validation", str(folder)],
    )
    table = tomllib.loads(shown.stdout)
    assert (table["iterations"], table["data"]["validation"]) == (7, str(folder))


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ([], "--data"),
        (["--data", ".", "--budget", "1m", "--iterations", "5"], "not both"),
    ],
)
def test_a_training_that_cannot_begin_is_exit_code_2(more: list[str], named: str) -> None:
    refused = CliRunner().invoke(app, ["train", "small-motion", *more])
    assert refused.exit_code == 2
    assert named in refused.output


@pytest.mark.parametrize(
    ("given", "meant"), [("dpdd", "dpdd"), ("pairs/val", str(Path("pairs/val").resolve()))]
)
def test_validation_pairs_are_a_published_set_or_a_folder(given: str, meant: str) -> None:
    shown = CliRunner().invoke(app, ["train", "small-motion", "--show", "--validation", given])
    assert tomllib.loads(shown.output)["data"]["validation"] == meant


def test_showing_a_recipe_needs_neither_data_nor_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "sys.argv = 'deblur train fcn-gopro --show'.split()\n"
        "from deblur_cli.cli.app import main; main()"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert tomllib.loads(finished.stdout)["iterations"] == 79200


@pytest.mark.parametrize("setting", ["optimiser.batch=0", "optimiser.bath=1", "optimiser.batch"])
def test_an_impossible_setting_is_one_line_and_exit_code_2(setting: str) -> None:
    command = [sys.executable, "-m", "deblur_cli", "train", "fcn-gopro", "--show", "--set"]
    finished = subprocess.run([*command, setting], capture_output=True, text=True)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.count("\n") == 1
    assert "optimiser.bat" in finished.stderr


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("25m", 1500), ("1.5 h", 5400)])
def test_durations_have_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(("text", "size"), [("15MB", 15_000_000), ("1.5 KB", 1500)])
def test_sizes_are_powers_of_1000(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "25", "m", "0m", "-1h", "25 minutes", "1h30m", "15MB", "1e3s"]
)
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="90s, 25m or 2h"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["15", "0MB", "15M", "15m"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="15MB"):
        parse_size(text)
