"""`deblur run --ray`: what is refused, what workers get, and a cluster on this machine."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from deblur_cli.cli import run_ray
from deblur_cli.cli.options import ModelOptions
from deblur_cli.errors import DeblurError, ImageReadError, MissingExtraError, WeightsError
from tests.cli.conftest import Command, process_environment
from tests.pipeline.fakes import mean_of, save_picture

SMALL = ModelOptions(model="algnet-small-motion", device="cpu", tile=96, dtype="float32")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(3):
        save_picture(tmp_path / f"photos/{number}.png", value=40)
    return tmp_path / "photos"


def test_ray_that_is_not_installed_is_told(
    deblur: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    finished = deblur("run", "photos", "--ray", "local", "--model", "algnet-small-motion")
    assert finished.returncode == 2
    assert "pip install 'deblur-cli[ray]'" in finished.stderr


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:1", "ray://127.0.0.1:1"])
def test_no_cluster_there(deblur: Command, photos: Path, address: str) -> None:
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    finished = deblur("run", "photos", "--ray", address, "--model", "algnet-small-motion")
    assert finished.returncode == 3
    assert finished.stderr.startswith(f"deblur: no Ray cluster is found by '{address}'")
    assert "--address" not in finished.stderr
    assert not photos.with_name("photos_deblurred").exists()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--device", "cuda:1"], "--device cuda:1"),
        (["--device", "all"], "one of auto, cpu, cuda"),
        (["-o", "s3://bucket/results"], "s3://bucket/results is none"),
    ],
)
def test_what_makes_no_sense_on_a_cluster(
    deblur: Command, photos: Path, options: list[str], problem: str
) -> None:
    finished = deblur("run", "photos", "--ray", "auto", *options)
    assert finished.returncode == 2
    assert problem in finished.stderr


def test_video_refuses_the_same_devices(deblur: Command) -> None:
    finished = deblur("video", "in.mp4", "out.mp4", "--ray", "auto", "--device", "cuda:1")
    assert finished.returncode == 2
    assert "one of auto, cpu, cuda" in finished.stderr


def test_worker_has_the_very_network_of_this_machine() -> None:
    load, weights = pickle.loads(pickle.dumps(run_ray.pack(SMALL)))
    there, here = load("cpu", weights), SMALL.load()
    assert (there.settings, there.summary) == (here.settings, here.summary)
    assert (there.source, there.warnings) == (here.source, here.warnings)
    image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    assert np.array_equal(there(image), here(image))


def test_worker_of_another_version_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    load, weights = run_ray.pack(SMALL)
    monkeypatch.setattr("deblur_cli.__version__", "0.0.1")
    with pytest.raises(DeblurError, match=r"0\.0\.1.*install the same version on all nodes"):
        load("cpu", weights)


def test_worker_refuses_other_weights() -> None:
    load, weights = run_ray.pack(SMALL)
    with pytest.raises(WeightsError, match="checksum"):
        load("cpu", weights[:-1] + b"\0\0")


@pytest.mark.parametrize(
    "error",
    [
        ImageReadError("is no image", path="a.jpg", remedy="look"),
        MissingExtraError("reading raw files", "raw"),
        DeblurError("failed"),
    ],
)
def test_errors_travel(error: DeblurError) -> None:
    travelled = pickle.loads(pickle.dumps(error))
    assert type(travelled) is type(error)
    assert (str(travelled), vars(travelled)) == (str(error), vars(error))


def test_cluster_on_this_machine_ends_with_the_command(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "tests.cli.fake_deblur", "run", "photos"),
            *("--ray", "local", "--report", "page.html"),
        ],
        env=process_environment(HOME=str(tmp_path), TMPDIR="/tmp"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stdout) == (0, "")
    assert "restored 3, already done 0, skipped 0 other files, failed 0" in finished.stderr
    results = sorted(photos.with_name("photos_deblurred").glob("*.png"))
    assert [mean_of(path) for path in results] == [215] * 3
    assert (tmp_path / "page.html").read_text().count("data:image/jpeg") >= 3
    workers = {int(line.split()[1]) for line in (tmp_path / "diary").read_text().splitlines()}
    assert workers
    deadline = time.monotonic() + 60
    while any(map(_runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(_runs, workers))


def _runs(number: int) -> bool:
    try:
        return bool(psutil.Process(number).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
