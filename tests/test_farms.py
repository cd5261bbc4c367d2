"""The Slurm scripts that docs/farms.md prints work as printed, under bash instead of Slurm."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acquisition.archives import files_below
from tests.cli.conftest import process_environment
from tests.pipeline.fakes import save_picture

REPOSITORY = Path(__file__).parents[1]
DOCUMENT = (REPOSITORY / "docs/farms.md").read_text("utf-8")
ARRAY, JOIN = re.findall(r"^```bash\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
SHARDS = 2
DEBLUR = f"{shlex.quote(sys.executable)} -m tests.cli.fake_deblur"
PICTURES = [f"{folder}/{number}.png" for folder in ("a", "straße b") for number in range(4)]

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="Slurm's scripts need bash")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The folder of the scripts, with pictures that all differ."""
    for value, name in enumerate(PICTURES):
        save_picture(tmp_path / "incoming" / name, value)
    return tmp_path


def _run(script: str, photos: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """One job, with this test's program and folder in the script."""
    script = script.replace("/opt/deblur/bin/deblur", DEBLUR).replace("/mnt/photos", str(photos))
    return subprocess.run(
        ["bash"],
        input=script,
        env=process_environment(**environment),
        cwd="/",
        capture_output=True,
        text=True,
    )


def _task(photos: Path, number: int, shards: int = SHARDS) -> int:
    """Exit code of one task of the array."""
    script = ARRAY.replace("SHARDS=8", f"SHARDS={shards}")
    return _run(script, photos, SLURM_ARRAY_TASK_ID=str(number)).returncode


def _results(photos: Path) -> dict[str, bytes]:
    files = files_below(photos / "restored")
    return {name: content for name, content in files.items() if not name.startswith(".")}


def test_all_tasks_together_do_what_a_single_run_does(photos: Path, tmp_path: Path) -> None:
    assert [_task(photos, number) for number in range(1, SHARDS + 1)] == [0] * SHARDS
    log = (photos / "restored.log").read_text("utf-8")
    processes = re.findall(r" INFO \[(\d+)\] restored incoming/", log)
    assert len(processes) == len(PICTURES)
    assert len(set(processes)) == SHARDS
    together = _results(photos)
    assert together.keys() == set(PICTURES)
    shutil.rmtree(photos / "restored")
    assert _task(photos, 1, shards=1) == 0
    assert together == _results(photos)


def test_the_join_does_what_a_lost_task_left_and_tells_what_failed(photos: Path) -> None:
    bad = photos / "incoming" / PICTURES[0]
    content = bad.read_bytes()
    bad.write_bytes(content[:30])
    _task(photos, SHARDS)
    assert len(_results(photos)) < len(PICTURES) - 1
    joined = _run(JOIN, photos)
    assert joined.returncode == 1
    assert f"failed: incoming/{PICTURES[0]}: " in joined.stdout
    assert f"done {len(PICTURES) - 1}, failed 1, in hand 0, interrupted 0" in joined.stdout
    bad.write_bytes(content)
    retried = _run(JOIN.replace("--quiet", "--quiet --retry-failed"), photos)
    assert retried.returncode == 0, retried.stderr
    assert retried.stdout.startswith(f"done {len(PICTURES)}, failed 0,")
    assert _results(photos).keys() == set(PICTURES)


def test_the_array_has_as_many_tasks_as_there_are_shards() -> None:
    (last,) = re.findall(r"^#SBATCH --array=1-(\d+)$", ARRAY, re.MULTILINE)
    (shards,) = re.findall(r"^SHARDS=(\d+)$", ARRAY, re.MULTILINE)
    assert last == shards
    for script in (ARRAY, JOIN):
        assert script.startswith("#!/bin/bash\n#SBATCH ")


def test_every_option_that_is_named_exists() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "deblur_cli", "run", "--help"],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
    ).stdout
    for line in re.findall(r"deblur run [^\n]*(?:\\\n[^\n]*)?", DOCUMENT):
        assert set(re.findall(r"--[a-z-]+", line)) <= set(re.findall(r"--[a-z-]+", told))
