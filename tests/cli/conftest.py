from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deblur_cli.cli import run_preview
from deblur_cli.cli.app import main
from deblur_cli.cli.options import ModelOptions
from tests.cli.fake_deblur import load_fake, load_fake_fleet
from tests.cli.json_lines import checked_lines


@dataclass(frozen=True)
class Finished:
    """How a command ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Finished]


@pytest.fixture
def deblur(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs the command line in `tmp_path`, in this process; its JSON lines fit the schema."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")

    def run(*arguments: str | Path) -> Finished:
        monkeypatch.setattr(sys, "argv", ["deblur", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        if "--json" in arguments:
            checked_lines(captured.out, str(arguments[0]))
        return Finished(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def fake_deblur(deblur: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The same, with a network that inverts pictures."""
    monkeypatch.setattr(ModelOptions, "load", load_fake)
    monkeypatch.setattr(ModelOptions, "load_fleet", load_fake_fleet)
    monkeypatch.setattr(run_preview, "_fleet", load_fake_fleet)
    return deblur


def process_environment(**environment: str) -> dict[str, str]:
    """The environment in which the modules of the tests are found from any folder."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
