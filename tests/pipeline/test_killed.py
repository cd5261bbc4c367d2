"""The real command, killed at random moments: nothing lost, nothing twice, nothing half-written.

DEBLUR_KILLS is how often it is killed, DEBLUR_SEED when; by default a few times.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deblur_cli.pipeline.paths import LEDGER_FOLDER
from tests.cli.conftest import process_environment
from tests.pipeline.fakes import save_picture

KILLS = int(os.environ.get("DEBLUR_KILLS", "3"))
SEED = int(os.environ.get("DEBLUR_SEED", "0"))
PICTURES = [f"{number % 3}/{number:02}.png" for number in range(36)]


@dataclass
class Trial:
    """A folder of pictures, the options of the command that restores them, and what it told."""

    folder: Path
    options: tuple[str, ...] = ()
    results: str = "photos_deblurred"
    told: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number, name in enumerate(PICTURES):
            save_picture(self.folder / "photos" / name, value=number, size=(40, 30))

    def start(self, seconds: float) -> subprocess.Popen[str]:
        """The command, once it has begun; each picture takes it so long."""
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.cli.fake_deblur",
                "run",
                "photos",
                "--json",
                *self.options,
            ],
            env=process_environment(FAKE_SECONDS=str(seconds)),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        assert '"start"' in process.stdout.readline()
        return process

    def end(self, process: subprocess.Popen[str]) -> int:
        """The exit code; what the process has told of is counted."""
        said, _ = process.communicate()
        for line in said.splitlines(keepends=True):
            event = json.loads(line) if line.endswith("\n") else {}
            if event.get("event") == "restored":
                self.told[event["target"]] += 1
            elif event.get("event") == "failed":
                self.failures.append(event["message"])
        return process.returncode

    @contextmanager
    def killed(self, seconds: float) -> Iterator[None]:
        """A process that lives while the block runs."""
        process = self.start(seconds)
        try:
            yield
        finally:
            process.kill()
            self.end(process)

    def found(self) -> dict[str, tuple[bytes, int]]:
        """Content and identity of what lies under the names of results."""
        paths = {name: self.folder / self.results / name for name in PICTURES}
        return {
            name: (path.read_bytes(), path.stat().st_ino)
            for name, path in paths.items()
            if path.exists()
        }

    def litter(self) -> list[Path]:
        """Everything that is neither a picture nor the ledger."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return [path for path in files if path.suffix not in (".png", ".jsonl")]


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The results of a run that nothing disturbed."""
    trial = Trial(tmp_path_factory.mktemp("undisturbed"))
    assert trial.end(trial.start(seconds=0)) == 0
    results = {name: content for name, (content, _) in trial.found().items()}
    assert results.keys() == set(PICTURES)
    return results


@pytest.mark.parametrize(
    ("options", "results"), [((), "photos_deblurred"), (("--in-place",), "photos")]
)
def test_killed_at_random_moments(
    tmp_path: Path, right: dict[str, bytes], options: tuple[str, ...], results: str
) -> None:
    trial = Trial(tmp_path, options, results)
    before = {name: content for name, (content, _) in trial.found().items()}
    moments = random.Random(SEED)
    complete: dict[str, tuple[bytes, int]] = {}

    for number in range(KILLS):
        with ExitStack() as alive:
            for _ in range(1 + number % 2):
                alive.enter_context(trial.killed(moments.choice([0.0, 0.01, 0.05])))
            time.sleep(moments.uniform(0, 0.25))
        found = trial.found()
        assert all(file[0] in (right[name], before.get(name)) for name, file in found.items())
        assert {name: found[name] for name in complete} == complete
        complete = {name: file for name, file in found.items() if file[0] == right[name]}

    together = [trial.start(0.01) for _ in range(2)]
    ended = [trial.end(process) for process in together]
    assert (ended, trial.failures) == ([0, 0], [])
    found = trial.found()
    assert {name: content for name, (content, _) in found.items()} == right
    assert {name: found[name] for name in complete} == complete
    assert max(trial.told.values()) == 1
    assert max(_completed(trial).values()) == 1
    assert trial.litter() == []


def _completed(trial: Trial) -> Counter[str]:
    """How often the ledgers say of each result that it was completed."""
    done: Counter[str] = Counter()
    for file in (trial.folder / trial.results / LEDGER_FOLDER).glob("*.jsonl"):
        for line in file.read_text().splitlines():
            if '"result_size": ' in line and '"result_size": null' not in line:
                done[json.loads(line)["target"]] += 1
    return done
