from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from deblur_cli.cli import status_file
from deblur_cli.cli.console import QuietConsole
from deblur_cli.cli.status_file import StatusFile
from deblur_cli.cli.teller import Teller
from deblur_cli.errors import WeightsError
from deblur_cli.pipeline.events import Tally
from tests.cli.conftest import Command, process_environment
from tests.cli.json_lines import checked_lines
from tests.pipeline.fakes import save_picture


def _status(path: str | Path) -> dict[str, Any]:
    (status,) = checked_lines(Path(path).read_text("utf-8"), "status-file")
    return status


def test_tells_how_the_batch_ended(fake_deblur: Command, tmp_path: Path) -> None:
    for number in range(3):
        save_picture(tmp_path / f"photos/{number}.png")
    (tmp_path / "photos/bad.png").write_text("no picture")
    for done in (3, 3):
        assert fake_deblur("run", "photos", "-q", "--status-file", "status").returncode == 1
        status = _status("status")
        assert (status["state"], status["exit_code"]) == ("ended", 1)
        counts = {name: status[name] for name in ("total", "done", "failed", "remaining")}
        assert counts == {"total": 4, "done": done, "failed": 1, "remaining": 0}
        assert status["current"] == []
        assert status["pid"] == os.getpid()
    assert [path.name for path in tmp_path.iterdir() if "status" in path.name] == ["status"]


def test_tells_what_is_in_hand_while_it_goes_on(tmp_path: Path) -> None:
    for number in range(9):
        save_picture(tmp_path / f"photos/{number}.png")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.fake_deblur", "run", "photos", "--status-file", "status"],
        env=process_environment(FAKE_SECONDS="0.4"),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    running: dict[str, Any] = {}
    while process.poll() is None and not running.get("done"):
        time.sleep(0.01)
        if (tmp_path / "status").exists():  # whole, whenever it is looked at
            running = _status(tmp_path / "status")
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert running["pid"] == process.pid
    assert running["exit_code"] is None
    assert set(running["current"]) <= {f"photos/{number}.png" for number in range(9)}
    assert running["current"]
    assert running["done"] + running["failed"] + running["remaining"] == running["total"] == 9
    assert running["seconds_left"] == pytest.approx(running["remaining"] / running["rate"])
    ended = _status(tmp_path / "status")
    assert (ended["state"], ended["exit_code"]) == ("ended", process.returncode) == ("ended", 143)
    assert ended["remaining"] > 0


def test_rate_and_time_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(status_file.time, "monotonic", lambda: now)
    teller = Teller(QuietConsole(), json=False, total=20)
    with StatusFile(tmp_path / "status") as status:
        assert _status(tmp_path / "status")["state"] == "starting"
        status.follow(teller, {Path("a.png")})
        teller.tally = Tally(restored=3, left_sharp=1, already_done=10, failed=1)
        now = 110.0
    told = _status(tmp_path / "status")
    assert told["rate"] == pytest.approx(5 / 10)
    assert told["seconds_left"] == pytest.approx(5 / (5 / 10))
    assert (told["done"], told["failed"], told["remaining"]) == (14, 1, 5)
    assert told["current"] == ["a.png"]
    began, written = (datetime.fromisoformat(told[name]) for name in ("began", "time"))
    assert began <= written <= datetime.now(UTC)


def test_is_written_anew_while_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_file, "SECONDS_BETWEEN_WRITES", 0.001)
    path = tmp_path / "status"
    with StatusFile(path):
        for _ in range(3):
            path.unlink()
            while not path.exists():
                time.sleep(0.001)
            assert _status(path)["state"] == "starting"


@pytest.mark.parametrize(
    ("end", "exit_code"),
    [
        (typer.Exit(0), 0),
        (typer.Exit(143), 143),
        (WeightsError("are gone"), 3),
        (KeyboardInterrupt(), 130),
        (SystemExit(143), 143),
        (RuntimeError("odd"), 1),
    ],
)
def test_exit_code_is_that_of_what_ends_the_block(
    tmp_path: Path, end: BaseException, exit_code: int
) -> None:
    with pytest.raises(type(end)), StatusFile(tmp_path / "status"):
        raise end
    assert _status(tmp_path / "status")["exit_code"] == exit_code


def test_earlier_status_does_not_outlive_a_run_that_cannot_begin(fake_deblur: Command) -> None:
    save_picture(Path("a.png"))
    assert fake_deblur("run", "a.png", "--status-file", "status").returncode == 0
    assert fake_deblur("run", "gone.png", "--status-file", "status").returncode == 3
    assert _status("status")["exit_code"] == 3


@pytest.mark.parametrize("path", ["gone/status", "folder", "pipe"])
def test_status_that_cannot_be_written(fake_deblur: Command, path: str) -> None:
    save_picture(Path("a.png"))
    Path("folder").mkdir()
    os.mkfifo("pipe")
    finished = fake_deblur("run", "a.png", "--status-file", path)
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 1
    assert f"{path}: the status cannot be written" in finished.stderr
    assert not Path("pipe").is_file()
    assert not Path("a_deblurred.png").exists()


def test_batch_goes_on_when_the_status_cannot_be_written_any_more(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with StatusFile(folder / "status"):
        before = json.loads((folder / "status").read_text())
        folder.rename(tmp_path / "elsewhere")
    assert json.loads((tmp_path / "elsewhere/status").read_text()) == before
