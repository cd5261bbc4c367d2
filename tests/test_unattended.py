"""What docs/unattended.md prints works as printed: cron, systemd, configuration, completion."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deblur_cli.cli.configuration import FILE_NAME
from deblur_cli.cli.signals import TERMINATED
from tests.pipeline.fakes import save_picture

REPOSITORY = Path(__file__).parents[1]
DOCUMENT = (REPOSITORY / "docs/unattended.md").read_text("utf-8")
README = (REPOSITORY / "README.md").read_text("utf-8")
PICTURES = ("a.png", "straße/b.jpg")
DEBLUR = f"{shlex.quote(sys.executable)} -m deblur_cli"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


def _unit(block: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(block)
    return unit


def _here(command: str, folder: Path) -> str:
    """A documented command with the paths of this test."""
    command = command.replace("/opt/deblur/bin/deblur", DEBLUR)
    return command.replace("/srv/photos", str(folder)).replace("/run/deblur", str(folder))


def _in_empty_environment(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/usr/bin/env", "-i", "/bin/sh", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    """The folder of the documented commands, with two pictures to be restored."""
    for name in PICTURES:
        save_picture(tmp_path / "incoming" / name)
    return tmp_path


def _scheduled(line: str) -> str:
    """The command of a line for cron."""
    *schedule, command = line.strip().split(maxsplit=5)
    assert len(schedule) == 5
    assert "%" not in command, "cron would break the line there"
    return command


@pytest.mark.skipif(sys.platform == "win32", reason="cron needs a Unix shell")
def test_nightly_look_at_the_weights_tells_of_damage_alone(tmp_path: Path) -> None:
    command = _scheduled(_blocks("crontab")[1])
    for name in ("deblur_cli", "weights"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=ignored)
    intact = _in_empty_environment(_here(command, tmp_path), tmp_path)
    assert (intact.returncode, intact.stdout, intact.stderr) == (0, "", "")
    damaged = next((tmp_path / "weights").glob("*.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    told = _in_empty_environment(_here(command, tmp_path), tmp_path)
    assert (told.returncode, told.stdout) == (3, "")
    assert f"not intact: {damaged.stem}" in told.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="cron needs a Unix shell")
def test_cron_line_runs_in_an_empty_environment(incoming: Path) -> None:
    command = _scheduled(_blocks("crontab")[0])
    finished = _in_empty_environment(_here(command, incoming), Path("/"))
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert all((incoming / "restored" / name).is_file() for name in PICTURES)
    log = (incoming / "deblur.log").read_text("utf-8")
    assert len(re.findall(r" INFO \[\d+\] restored incoming/", log)) == len(PICTURES)


@pytest.mark.skipif(sys.platform == "win32", reason="systemd is Linux's")
def test_service_does_the_same_and_keeps_its_status(incoming: Path) -> None:
    service, timer = map(_unit, _blocks("ini"))
    assert timer["Timer"]["OnCalendar"] == "*-*-* 02:00"
    assert service["Service"]["SuccessExitStatus"] == str(TERMINATED)
    fake = f"{shlex.quote(sys.executable)} -m tests.cli.fake_deblur"
    started = _here(service["Service"]["ExecStart"], incoming).replace(DEBLUR, fake)
    folder = Path(_here(service["Service"]["WorkingDirectory"], incoming))
    path = shlex.quote(str(REPOSITORY))
    finished = _in_empty_environment(f"PYTHONPATH={path} {started}", folder)
    assert finished.returncode == 0, finished.stderr
    assert json.loads((incoming / "status.json").read_text())["done"] == len(PICTURES)


def _configured(folder: Path, environment: dict[str, str]) -> dict[str, object]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("DEBLUR_")}
    finished = subprocess.run(
        [sys.executable, "-m", "deblur_cli", "config", "--json"],
        cwd=folder,
        env=clean | {"XDG_CONFIG_HOME": str(folder / "none")} | environment,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    lines = map(json.loads, finished.stdout.splitlines())
    return {line["key"]: line["value"] for line in lines if line["source"] != "default"}


def test_configuration_is_understood(tmp_path: Path) -> None:
    (example,) = _blocks("toml")
    (tmp_path / FILE_NAME).write_text(example, "utf-8")
    expected = {
        "run.model": "algnet-small-motion",
        "run.exclude": ["drafts", "*.tmp.png"],
        "run.tile": "512",
        "run.quiet": True,
        "weights.list.json": True,
    }
    assert tomllib.loads(example)["run"]["tile"] == 512
    assert _configured(tmp_path, {}) == expected
    exports = re.findall(r"^\$ export (\w+)=(.*)$", DOCUMENT, re.MULTILINE)
    variables = {name: shlex.split(text, comments=True)[0] for name, text in exports}
    changed = {"run.max-memory": "2GiB", "run.quiet": False}
    assert len(variables) == 3
    assert _configured(tmp_path, variables) == expected | changed


def test_containers_run_as_whoever_starts_them() -> None:
    lines = re.findall(r"^\$ (?:podman|docker) run .*$", DOCUMENT, re.MULTILINE)
    assert len(lines) == 2
    assert all('--user "$(id -u):$(id -g)"' in line for line in lines), "the image names another"


def test_exit_codes_are_those_of_the_readme() -> None:
    table = r"^\| (\d[\d, ]*) \| (.+?)(?: \||[;:])"
    in_readme = dict(re.findall(table, README, re.MULTILINE))
    assert in_readme.keys() == {"0", "1", "2", "3", "130, 143"}
    assert dict(re.findall(table, DOCUMENT, re.MULTILINE)).keys() == in_readme.keys()


@pytest.mark.parametrize(
    ("words", "offered"),
    [("deblur w", "weights"), ("deblur run --preserve", "--preserve-times")],
)
def test_completion(words: str, offered: str) -> None:
    typed = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    program = "from deblur_cli.cli.app import app; app(prog_name='deblur')"
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "_DEBLUR_COMPLETE": "complete_bash", **typed},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == [offered]
