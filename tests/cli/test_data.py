"""The contract of `deblur data`: exit codes, streams, lines."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acquisition.archives import files_below, shrink_published, write_set, zipped
from tests.checkpoints.hub_server import REPO, FakeHub, serving
from tests.cli.conftest import Command, process_environment
from tests.cli.json_lines import checked_lines

HERE = (
    "import os; from dataclasses import replace; "
    "from deblur_cli.acquisition.catalogue import COLLECTIONS; "
    "gopro = COLLECTIONS['gopro']; "
    f"COLLECTIONS['gopro'] = replace(gopro, origin=replace(gopro.origin, repo='{REPO}')); "
    "from deblur_cli.cli.app import main; main()"
)
"""The command in a process of its own, for which this Hub has the set."""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small GoPro."""
    shrink_published(monkeypatch)
    write_set(tmp_path / "data", "gopro")
    return tmp_path / "data"


def test_a_complete_set(deblur: Command, data: Path) -> None:
    checked = deblur("data", "check", "gopro", "--data", "data", "--decode")
    assert checked.returncode == 0
    assert checked.stdout.splitlines() == [
        "gopro train: complete, 3 pairs in data/GOPRO_Large",
        "gopro test: complete, 4 pairs in data/GOPRO_Large",
    ]


def test_a_set_without_truth_has_photos(deblur: Command, tmp_path: Path) -> None:
    write_set(tmp_path / "data", "rwbi")
    checked = deblur("data", "check", "rwbi", "--data", "data")
    assert re.fullmatch(r"rwbi test: complete, \d+ photos in data/RWBI\n", checked.stdout)


def test_what_is_wrong_is_told_and_is_exit_code_1(deblur: Command, data: Path) -> None:
    photo = next((data / "GOPRO_Large").glob("test/*/blur/*.png"))
    photo.write_bytes(photo.read_bytes()[:60])
    checked = deblur("data", "check", "gopro", "--data", "data", "--decode", "--json")
    assert checked.returncode == 1
    train, test, summary = checked_lines(checked.stdout, "data")
    assert (train["state"], test["state"]) == ("complete", "incomplete")
    assert (test["pairs"], test["expected"], test["path"]) == (4, 4, "data/GOPRO_Large")
    assert photo.name in test["problems"][0]
    assert summary == {
        "schema": 1,
        "event": "summary",
        "complete": 1,
        "incomplete": 1,
        "absent": 0,
        "exit_code": 1,
    }
    assert deblur("data", "check", "gopro", "--data", "data", "--split", "train").returncode == 0


def test_a_set_that_is_not_there_is_exit_code_3(deblur: Command, data: Path) -> None:
    for name, lines in {"realblur": 4, "realblur-j": 2, "hide": 2}.items():
        checked = deblur("data", "check", name, "--data", "data")
        assert checked.returncode == 3
        assert checked.stdout.count(": absent\n") == lines


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("check", "reds"), 2, "there is no data set 'reds'"),
        (("check", "gopro", "--split", "val"), 2, "gopro has no split 'val'"),
        (("fetch", "reds"), 2, "there is no data set 'reds'"),
        (("fetch", "hide"), 3, "download HIDE_dataset.zip by the link on https://github.com/"),
        (("fetch", "gopro", "--offline"), 3, "GOPRO_Large.zip@main is not in the cache"),
        (("fetch", "gopro", "--data", "file"), 3, "cannot be written"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    deblur: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    (tmp_path / "file").touch()
    ended = deblur("data", *arguments)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.count("\n") == 1
    assert told in ended.stderr


def test_here_already(deblur: Command, data: Path) -> None:
    fetched = deblur("data", "fetch", "gopro-gamma", "--data", "data", "--json")
    assert fetched.returncode == 0
    found, *checks, summary = checked_lines(fetched.stdout, "data")
    assert (found["name"], found["sets"], found["origin"]) == (
        "gopro",
        ["gopro", "gopro-gamma"],
        None,
    )
    assert (found["path"], found["licence"]) == ("data/GOPRO_Large", "CC BY 4.0")
    assert (len(checks), summary["exit_code"]) == (4, 0)


def test_fetched_in_a_process_of_its_own_and_then_checked(tmp_path: Path) -> None:
    """What is fetched has fewer pairs than were published, which it says."""
    files = files_below(_write_whole(tmp_path / "made"))
    command = [sys.executable, "-c", HERE, "data", "fetch", "gopro", "--data", "data"]
    with serving(FakeHub({"GOPRO_Large.zip": zipped(files)})) as hub:
        cache = str(tmp_path / "hub-cache")
        settings = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": cache, "HF_HUB_OFFLINE": "0"}
        fetched = subprocess.run(
            command,
            cwd=tmp_path,
            env=process_environment(**settings),
            capture_output=True,
            text=True,
        )
    assert fetched.returncode == 1, fetched.stderr
    assert files_below(tmp_path / "data" / "GOPRO_Large") == files
    assert "gopro test: incomplete, 4 pairs in data/GOPRO_Large\n" in fetched.stdout
    assert "  4 pairs are here, 1,111 were published\n" in fetched.stdout
    lines = fetched.stderr.splitlines()
    assert lines[0].endswith("licence: CC BY 4.0")
    assert [line.split()[0] for line in lines] == ["fetching", "fetching", "fetched", "unpacking"]
    assert "%" not in fetched.stderr  # no progress bar without a terminal


def _write_whole(folder: Path) -> Path:
    return write_set(folder, "gopro")
