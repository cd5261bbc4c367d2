"""What docs/farms.md and docs/ray.md print for schedulers works as printed, under bash instead."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acquisition.archives import files_below
from tests.cli.conftest import process_environment
from tests.pipeline.fakes import save_picture

REPOSITORY = Path(__file__).parents[1]
DOCUMENT = (REPOSITORY / "docs/farms.md").read_text("utf-8")
ARRAY, JOIN = re.findall(r"^```bash\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
ON_RAY = (REPOSITORY / "docs/ray.md").read_text("utf-8")
(CLUSTER,) = re.findall(r"^```bash\n(#!.*?)^```", ON_RAY, re.MULTILINE | re.DOTALL)
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
    logs = [photos / f"restored-{number}.log" for number in range(1, SHARDS + 1)]
    restored = [
        re.findall(r" INFO \[\d+\] restored incoming/", log.read_text("utf-8")) for log in logs
    ]
    assert all(restored)
    assert sum(map(len, restored)) == len(PICTURES)
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
    for script in (ARRAY, JOIN, CLUSTER):
        assert script.startswith("#!/bin/bash\n#SBATCH ")


def _submitted_to_deadline() -> list[dict[str, str]]:
    """The options of each job that the document submits to Deadline; of `-prop` the last."""
    (block,) = re.findall(r"^```console\n(\$ deblur=.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    capture = "deadlinecommand() { printf '%s\\n' \"$@\" END; }\n"
    script = capture + re.sub(r"^\$ ", "", block, flags=re.MULTILINE)
    told = subprocess.run(["bash"], input=script, check=True, capture_output=True, text=True)
    jobs = [job.split("\n") for job in told.stdout.split("END\n")[:-1]]
    assert all(job[0] == "-SubmitCommandLineJob" for job in jobs)
    return [dict(zip(job[1::2], job[2::2], strict=False)) for job in jobs]


def test_deadline_gets_the_shards_and_a_join_that_waits_for_them(photos: Path) -> None:
    array, join = _submitted_to_deadline()
    assert (array["-frames"], array["-chunksize"], join["-frames"]) == ("1-8", "1", "1")
    assert "<STARTFRAME>/8" in array["-arguments"]
    for job in (array, join):
        line = f"{job['-executable']} {job['-arguments']}"
        done = _run(line.replace("<STARTFRAME>", "1"), photos)
        assert done.returncode == 0, done.stderr
    assert _results(photos).keys() == set(PICTURES)


@pytest.fixture
def ray_job(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The script for Ray, with programs that tell how they are called."""
    programs = {
        "ray": 'echo "ray $* $RAY_AUTH_MODE"',
        "srun": 'echo "srun $*"',
        "deblur": 'trap "exit 143" TERM; echo "deblur $*"\n'
        "until [ -e fail ]; do sleep 0.02; done; exit 1",
    }
    for name, code in programs.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/bash\n{code}\n")
        program.chmod(0o755)
    script = CLUSTER.replace("/opt/deblur/bin", f"{tmp_path}/bin").replace(
        "/mnt/photos", str(tmp_path)
    )
    slurm = {"SLURM_JOB_NUM_NODES": "4", "SLURMD_NODENAME": "n1"}
    with subprocess.Popen(
        ["bash", "-c", script], env={**os.environ, **slurm}, stdout=subprocess.PIPE, text=True
    ) as job:
        yield job
        job.kill()


def test_the_job_on_ray_starts_all_nodes_and_ends_as_deblur_does(
    ray_job: subprocess.Popen[str], tmp_path: Path
) -> None:
    (tmp_path / "fail").touch()
    told, _ = ray_job.communicate()
    assert ray_job.returncode == 1
    head, *later = told.splitlines()
    assert head == "ray start --head --port=6379 token"
    deblur, others = sorted(later)
    assert "--ray auto" in deblur
    assert "--nodes=3 --ntasks=3 --exclude=n1 ray start --address=n1:6379 --block" in others


def test_the_job_on_ray_passes_the_signal_on(ray_job: subprocess.Popen[str]) -> None:
    assert ray_job.stdout is not None
    assert any(line.startswith("deblur ") for line in ray_job.stdout)
    ray_job.terminate()
    assert ray_job.wait() == 143


def test_ray_has_the_options_that_are_named() -> None:
    pytest.importorskip("ray")
    from ray.scripts.scripts import cli

    known = {option for one in cli.commands["start"].params for option in one.opts}
    named = re.findall(r"ray start( .*?)(?: &)?$", CLUSTER, re.MULTILINE)
    assert len(named) == 2
    assert set(re.findall(r"--[a-z-]+", " ".join(named))) <= known


def test_every_option_that_is_named_exists() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "deblur_cli", "run", "--help"],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
    ).stdout
    for line in re.findall(r"deblur run [^\n]*(?:\\\n[^\n]*)?", DOCUMENT + CLUSTER):
        assert set(re.findall(r"--[a-z-]+", line)) <= set(re.findall(r"--[a-z-]+", told))
