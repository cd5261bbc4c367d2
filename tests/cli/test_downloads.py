"""What is told of downloads: two lines through the console, no bar when quiet."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from deblur_cli.cli.console import PlainConsole, QuietConsole
from deblur_cli.cli.downloads import tell_downloads
from tests.cli.conftest import process_environment


def _log() -> None:
    logging.getLogger("deblur_cli.checkpoints.download").info("fetching %s (%s)", "a", "7.0 MB")


def test_a_download_is_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    tell_downloads(PlainConsole(), quiet=False)
    tell_downloads(PlainConsole(), quiet=False)
    _log()
    assert capsys.readouterr().err == "fetching a (7.0 MB)\n"


def test_quiet_says_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "0")
    tell_downloads(QuietConsole(), quiet=True)
    _log()
    assert capsys.readouterr().err == ""


def test_quiet_shows_no_bar_of_the_library() -> None:
    code = (
        "from deblur_cli.cli import run\n"
        "run.tell_downloads(run.QuietConsole(), quiet=True)\n"
        "from huggingface_hub.utils import are_progress_bars_disabled\n"
        "print(are_progress_bars_disabled())"
    )
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, env=process_environment(), capture_output=True, text=True)
    assert shown.stdout == "True\n"
