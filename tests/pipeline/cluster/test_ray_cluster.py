"""The real command on a Ray cluster of several nodes, all on this machine: what dies, and when."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from deblur_cli.imaging.atomic import TEMPORARY_SUFFIX
from deblur_cli.pipeline.ledger.ledger import Ledger
from tests.cli.conftest import process_environment
from tests.pipeline.cluster.fakes import FakeLoader
from tests.pipeline.fakes import mean_of, save_picture
from tests.video.clips import Recipe, decoded, write_clip

pytest.importorskip("ray", reason="needs the extra 'ray'")

PICTURES = 12


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One node with one processor; tests add others. Ray's files go with it."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    short = TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True)
    with short as folder, pytest.MonkeyPatch.context() as patch:
        (Path(folder) / "ray").mkdir()
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("HOME", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(initialize_head=True, head_node_args=node)
        try:
            yield cluster
        finally:
            cluster.shutdown()


@dataclass
class Trial:
    """A folder of pictures of different grey values, and what runs over it told."""

    folder: Path
    address: str
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(PICTURES):
            save_picture(self.folder / f"photos/{number:02}.png", value=10 * number)

    def start(
        self, until: str, command: tuple[str, ...] = ("run", "photos"), **environment: str
    ) -> subprocess.Popen[str]:
        """The command, once it has told an event of this name."""
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.cli.fake_deblur"),
                *(*command, "--ray", self.address, "--json", "--quiet"),
            ],
            env=process_environment(**environment),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == until:
                break
        return process

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """The exit code and what stands on stderr; every line of stdout is JSON."""
        out, err = process.communicate()
        self.events += [json.loads(line) for line in out.splitlines()]
        return process.returncode, err

    def told(self, event: str) -> Counter[str]:
        """How often an event was told of each picture."""
        return Counter(Path(line["source"]).name for line in self.events if line["event"] == event)

    def assert_each_once(self, but: frozenset[str] = frozenset()) -> None:
        """Every result is there, right, recorded and told of once; nothing else is left."""
        names = {f"{number:02}.png" for number in range(PICTURES)} - but
        results = self.folder / "photos_deblurred"
        assert {path.name for path in results.glob("*.png")} == names
        assert all(mean_of(results / name) == 255 - 10 * int(name[:2]) for name in names)
        assert max(self.told("restored").values()) == 1
        completed = Counter(
            json.loads(line)["target"]
            for file in (results / ".deblur").glob("*.jsonl")
            for line in file.read_text().splitlines()
            if '"result_size": ' in line and '"result_size": null' not in line
        )
        assert completed == dict.fromkeys(names, 1)
        assert not list(self.folder.rglob(f".*{TEMPORARY_SUFFIX}"))


def test_node_that_dies_costs_nothing_but_time(cluster: Any, tmp_path: Path) -> None:
    doomed = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    trial = Trial(tmp_path, cluster.address)
    process = trial.start("start", FAKE_STALLED=doomed.node_id)
    while len(FakeLoader(tmp_path / "diary").workers()) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    cluster.remove_node(doomed, allow_graceful=False)
    code, err = trial.end(process)
    assert (code, err) == (0, "")
    assert sum(trial.told("device-lost").values()) == 1
    trial.assert_each_once()
    assert set(trial.told("restored")) == {f"{number:02}.png" for number in range(PICTURES)}


def test_driver_that_is_killed_and_started_again(cluster: Any, tmp_path: Path) -> None:
    trial = Trial(tmp_path, cluster.address)
    process = trial.start("restored", FAKE_SECONDS="1")
    process.kill()
    trial.end(process)
    assert trial.end(trial.start("start")) == (0, "")
    trial.assert_each_once()


def test_picture_that_ends_workers_is_set_aside(cluster: Any, tmp_path: Path) -> None:
    trial = Trial(tmp_path, cluster.address)
    code, err = trial.end(trial.start("start", FAKE_POISON="30"))
    assert code == 1
    (line,) = err.splitlines()
    assert "photos/03.png: 2 workers ended" in line
    assert trial.told("failed") == {"03.png": 1}
    assert trial.told("device-lost") == {"03.png": 2}
    trial.assert_each_once(but=frozenset({"03.png"}))
    results = tmp_path / "photos_deblurred"
    assert Ledger(results).has_failed(results / "03.png")


def test_sigterm_ends_it_politely_and_the_same_command_resumes(
    cluster: Any, tmp_path: Path
) -> None:
    trial = Trial(tmp_path, cluster.address)
    process = trial.start("restored", FAKE_SECONDS="1")
    process.send_signal(signal.SIGTERM)
    assert trial.end(process) == (143, "")
    assert trial.events[-1]["exit_code"] == 143
    assert trial.events[-1]["remaining"] > 0
    assert trial.end(trial.start("start")) == (0, "")
    trial.assert_each_once()


@dataclass
class VideoTrial(Trial):
    """A video of three parts instead."""

    command = ("video", "in.mkv", "out.mkv", "--codec", "ffv1")

    def __post_init__(self) -> None:
        options = {"g": "20", "preset": "ultrafast", "qp": "0"}
        write_clip(self.folder / "in.mkv", Recipe(600, (32, 24), options=options))

    def last(self, event: str) -> dict[str, Any]:
        return [line for line in self.events if line["event"] == event][-1]

    def assert_whole(self) -> None:
        """Every frame is there once, restored, and nothing else is left."""
        before, after = (decoded(self.folder / name) for name in ("in.mkv", "out.mkv"))
        assert len(after) == 600
        means = [
            (float(old[:24].mean()), float(new[:24].mean()))
            for old, new in zip(before, after, strict=True)
        ]
        assert all(abs(old + new - 255) < 20 for old, new in means)
        assert {path.name for path in self.folder.iterdir()} <= {
            *("in.mkv", "out.mkv", ".deblur", "diary"),
        }


def test_video_survives_a_node(cluster: Any, tmp_path: Path) -> None:
    doomed = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    trial = VideoTrial(tmp_path, cluster.address)
    process = trial.start("video", trial.command, FAKE_STALLED=doomed.node_id)
    while len(FakeLoader(tmp_path / "diary").workers()) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    cluster.remove_node(doomed, allow_graceful=False)
    code, err = trial.end(process)
    assert (code, err) == (0, "")
    assert [line["event"] for line in trial.events].count("device-lost") == 1
    assert set(trial.last("device-lost")) == {"schema", "event", "device", "seconds", "problem"}
    trial.assert_whole()


def test_video_that_is_interrupted_goes_on(cluster: Any, tmp_path: Path) -> None:
    trial = VideoTrial(tmp_path, cluster.address)
    process = trial.start("video", trial.command, FAKE_SECONDS="0.01")
    while len(FakeLoader(tmp_path / "diary").grey_values()) < 260:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert trial.end(process) == (143, "")
    (tmp_path / "diary").unlink()
    assert trial.end(trial.start("video", trial.command)) == (0, "")
    done = trial.last("video")["done"]
    assert 260 <= done < 600
    assert len(FakeLoader(tmp_path / "diary").grey_values()) == 600 - done
    trial.assert_whole()
