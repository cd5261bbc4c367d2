from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import pytest

from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.ledger.processes import Process
from deblur_cli.pipeline.ledger.records import Claim, line_of
from deblur_cli.pipeline.paths import LEDGER_FOLDER
from tests.cli.conftest import Command
from tests.pipeline.fakes import save_picture


@pytest.fixture
def out(tmp_path: Path) -> Path:
    for number in range(5):
        save_picture(tmp_path / f"photos/{number}.png")
    return tmp_path / "photos_deblurred"


def _claim(folder: Path, name: str) -> None:
    """Let a process that is over have a result in hand."""
    dead = dataclasses.replace(Process.this(), started="1", host="render07")
    path = folder / LEDGER_FOLDER / f"{name}.jsonl"
    path.write_bytes(dead.to_line() + b"\n" + line_of(Claim(name, time=time.time())) + b"\n")


def test_everything_is_done(fake_deblur: Command, out: Path) -> None:
    assert fake_deblur("run", "photos").returncode == 0
    shown = fake_deblur("status", out)
    assert shown.returncode == 0
    assert shown.stdout == "done 5, failed 0, in hand 0, interrupted 0, missing 0\n"
    assert fake_deblur("status", out, "--json").stdout.splitlines() == [
        '{"schema": 1, "event": "summary", "done": 5, "failed": 0, "in_hand": 0, '
        '"interrupted": 0, "missing": 0, "exit_code": 0}'
    ]


def test_each_result_is_told_of_once(fake_deblur: Command, out: Path) -> None:
    (out.parent / "photos/4.png").write_text("no picture")
    assert fake_deblur("run", "photos").returncode == 1
    (out / "3.png").unlink()
    (out / "2.png").unlink()
    _claim(out, "2.png")
    _claim(out, "0.png")
    with_claim = Ledger(out)
    assert with_claim.claim(out / "4.png")
    shown = fake_deblur("status", "photos_deblurred", "--json")
    with_claim.close()
    assert shown.returncode == 1
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    told = {line["event"]: line.get("target") for line in lines}
    assert told == {
        "in-hand": "photos_deblurred/4.png",
        "interrupted": "photos_deblurred/2.png",
        "missing": "photos_deblurred/3.png",
        "summary": None,
    }
    assert lines[1]["host"] == "render07"
    assert lines[-1]["done"] == 2
    shown = fake_deblur("status", "photos_deblurred")
    assert "failed: photos/4.png: " in shown.stdout
    assert "interrupted: photos_deblurred/2.png (process " in shown.stdout


def test_what_was_interrupted_is_done_by_the_same_command(fake_deblur: Command, out: Path) -> None:
    (out / LEDGER_FOLDER).mkdir(parents=True)
    _claim(out, "0.png")
    assert fake_deblur("status", out).returncode == 1
    assert fake_deblur("run", "photos").returncode == 0
    assert fake_deblur("status", out).returncode == 0


def test_nothing_readable_and_nothing_done(fake_deblur: Command, out: Path) -> None:
    none = fake_deblur("status", out)
    assert (none.returncode, none.stdout) == (3, "")
    assert "nothing has been done there" in none.stderr
    for path in (out.parent / "photos").iterdir():
        path.write_text("no picture")
    assert fake_deblur("run", "photos").returncode == 3
    assert fake_deblur("status", out).returncode == 3
