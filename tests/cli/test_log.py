from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from deblur_cli.cli.log import log, open_log
from deblur_cli.errors import UsageError
from tests.cli.conftest import Command
from tests.pipeline.fakes import save_picture

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} (INFO|WARNING|ERROR) \[\d+\] (.*)")


def _records(path: str | Path) -> list[tuple[str, str]]:
    """Level and text of each line."""
    found = [LINE.fullmatch(line) for line in Path(path).read_text("utf-8").splitlines()]
    assert all(found)
    return [(match[1], match[2]) for match in found if match]


def test_one_line_for_each_event_however_quiet(fake_deblur: Command, tmp_path: Path) -> None:
    save_picture(tmp_path / "photos/a.png")
    (tmp_path / "photos/b\nc.png").write_text("no picture")
    finished = fake_deblur("run", "photos", "--quiet", "--log", "run.log")
    assert finished.returncode == 1
    assert len(finished.stderr.splitlines()) == 1
    records = _records("run.log")
    assert ("INFO", "inverter on cpu") in records
    (restored,) = [text for _, text in records if text.startswith("restored photos/")]
    assert "photos/a.png -> photos_deblurred/a.png (12x8 in " in restored
    (failed,) = [text for level, text in records if level == "ERROR"]
    assert failed.startswith("photos/b\\nc.png: ")
    assert records[-1][1].startswith("restored 1, ")
    fake_deblur("run", "photos", "--log", "run.log")
    appended = _records("run.log")
    assert appended[: len(records)] == records
    assert ("INFO", "already done photos/a.png -> photos_deblurred/a.png") in appended


def test_what_ends_a_command_is_logged(fake_deblur: Command) -> None:
    finished = fake_deblur("run", "gone.png", "--log", "run.log")
    assert finished.returncode == 3
    assert ("ERROR", "gone.png: no such file or folder (check the path)") in _records("run.log")


def test_lost_device_is_a_warning(fake_deblur: Command, tmp_path: Path) -> None:
    for number in range(9):
        save_picture(tmp_path / f"photos/{number}.png")
    fake_deblur("run", "photos", "--device", "broken:0,cuda:1", "--log", "run.log")
    (warning,) = [text for level, text in _records("run.log") if level == "WARNING"]
    assert "broken:0 stopped working" in warning


@pytest.mark.parametrize("path", ["gone/run.log", "."])
def test_log_that_cannot_be_opened(fake_deblur: Command, path: str) -> None:
    finished = fake_deblur("run", "a.png", "--log", path)
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 1
    assert "the log cannot be opened" in finished.stderr


def test_log_that_is_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    open_log(path)
    log.info("first")
    path.rename(tmp_path / "run.log.1")
    log.info("second")
    open_log(None)
    log.info("nowhere")
    assert _records(tmp_path / "run.log.1") == [("INFO", "first")]
    assert _records(path) == [("INFO", "second")]


def test_log_that_cannot_be_written_any_more_says_so_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    open_log(folder / "run.log")
    log.info("first")
    folder.rename(tmp_path / "elsewhere")
    for _ in range(3):
        log.info("lost")
    open_log(None)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"deblur: {folder / 'run.log'}: cannot log: ")


def test_lines_of_several_threads_stay_whole(tmp_path: Path) -> None:
    open_log(tmp_path / "run.log")
    threads = [
        threading.Thread(target=lambda: [log.info("x" * 5000) for _ in range(20)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    open_log(None)
    assert _records(tmp_path / "run.log") == [("INFO", "x" * 5000)] * 80


def test_opening_raises_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(str(tmp_path))):
        open_log(tmp_path)
