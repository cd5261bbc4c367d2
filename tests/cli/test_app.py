from __future__ import annotations

import subprocess
import sys

import pytest

from deblur_cli.cli import app, options
from deblur_cli.errors import DeviceError

HEAVY = ("torch", "numba", "numpy", "cv2", "PIL", "rich", "scipy")


@pytest.mark.parametrize("command", ["", "run", "eval", "train", "weights", "doctor", "config"])
def test_help_imports_nothing_heavy(command: str) -> None:
    program = (
        "import sys\n"
        "from deblur_cli.cli.app import main\n"
        f"sys.argv = ['deblur', *{command!r}.split(), '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        f"print(*sorted(sys.modules.keys() & set({HEAVY})), file=sys.stderr)\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "Usage:" in finished.stdout
    assert finished.stderr.split() == []


def test_version(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["deblur", "--version"])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("deblur ")


@pytest.mark.parametrize(
    ("error", "exit_code", "said"),
    [
        (DeviceError("no such device", remedy="use cpu"), 3, "deblur: no such device (use cpu)"),
        (RuntimeError("odd"), 1, "deblur: unexpected RuntimeError: odd (DEBLUR_DEBUG=1"),
    ],
)
def test_errors_become_one_line_and_an_exit_code(
    error: Exception,
    exit_code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(options, "check_strength", fail)
    monkeypatch.setattr(sys, "argv", ["deblur", "run", "photos"])
    for debug in (False, True):
        monkeypatch.setenv("DEBLUR_DEBUG", "1" if debug else "")
        with pytest.raises(SystemExit) as ended:
            app.main()
        printed = capsys.readouterr().err
        assert ended.value.code == exit_code
        assert printed.splitlines()[-1].startswith(said)
        assert ("Traceback" in printed) == debug
