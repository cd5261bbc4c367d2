"""Two processes measure what one measures."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deblur_cli.errors import UsageError
from deblur_cli.evaluation.ranks import Ranks, joined_ranks
from tests.cli.conftest import process_environment
from tests.data.layouts import textured, write_gopro, write_picture


def test_alone_without_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_ranks() as ranks:
        assert ranks == Ranks()
        assert ranks.leads
        assert ranks.gather([3, 1]) == [3, 1]
        assert ranks.device("auto") == "auto"


def test_processes_that_cannot_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(UsageError, match="finds no others to evaluate with"), joined_ranks():
        pass


def evaluate(folder: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "deblur_cli", "eval", "--dataset", "gopro", *options]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=process_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rows_of(output: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((output / "table.json").read_text())["rows"]
    return rows


def test_two_processes_give_the_figures_of_one(tmp_path: Path) -> None:
    pictures = textured(5)
    names = write_gopro(tmp_path, "test", pictures)
    for name, (blurred, _) in zip(names, pictures, strict=True):
        write_picture(tmp_path / "made" / f"{name}.png", blurred // 2)
    (tmp_path / f"GOPRO_Large/test/{names[3].replace('/', '/blur/')}.png").write_text("broken")
    options = ("--blurred", "--results", "made", "--json")
    alone = evaluate(tmp_path, *options, "-o", "one")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    both = [
        evaluate(
            tmp_path,
            *options,
            "-o",
            "two",
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE="2",
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=port,
        )
        for rank in range(2)
    ]
    printed = [process.communicate(timeout=300) for process in (alone, *both)]
    codes = [process.returncode for process in (alone, *both)]
    assert codes == [1, 1, 0], [errors for _, errors in printed]  # the first one tells of it
    assert printed[0][0] == printed[1][0] != ""
    assert printed[2][0] == ""
    rows = rows_of(tmp_path / "one")
    assert rows == rows_of(tmp_path / "two")
    assert [(row["pictures"], row["failed"]) for row in rows[:2]] == [(4, 1), (4, 1)]
    files = {path.name.split(".")[-2] for path in (tmp_path / "two/records").iterdir()}
    assert files == {"0", "1"}
