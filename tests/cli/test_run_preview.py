"""What `deblur run --dry-run` knows of the network, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from deblur_cli.checkpoints import manifest
from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.manifest import MANIFEST, load_manifest
from deblur_cli.cli.options import Dtype, ModelOptions
from deblur_cli.cli.run_preview import UnloadedNetwork, unloaded
from deblur_cli.errors import DeviceError, UsageError, WeightsError
from deblur_cli.models import create_model
from tests.cli.conftest import Command
from tests.pipeline.fakes import save_picture

SMALL = ModelOptions(model="algnet-small-motion", device="cpu", offline=True)
BUNDLED = [entry.id for entry in load_manifest().entries if entry.file is not None]


@pytest.mark.parametrize("model", BUNDLED)
def test_settings_are_those_of_the_loaded_network(model: str) -> None:
    network = replace(SMALL, model=model)
    (foreseen,) = unloaded(network, on_cluster=False).fleet.values()
    loaded = network.load()
    assert isinstance(foreseen, UnloadedNetwork)
    assert foreseen.settings == loaded.settings
    assert foreseen.source == loaded.source


@pytest.mark.parametrize(
    "asked", [{"tile": 128}, {"overlap": 16}, {"dtype": Dtype.float32}, {"max_memory": "1GiB"}]
)
def test_what_only_the_network_can_judge_is_asked_of_it(asked: dict[str, object]) -> None:
    network = replace(SMALL, **asked)
    (foreseen,) = unloaded(network, on_cluster=False).fleet.values()
    assert foreseen.settings == network.load().settings


def test_what_a_run_would_refuse_is_refused() -> None:
    with pytest.raises(DeviceError):
        unloaded(replace(SMALL, device="nonsense"), on_cluster=False)
    with pytest.raises(UsageError, match="too small"):
        unloaded(replace(SMALL, tile=8), on_cluster=False)


def test_weights_without_advice_are_loaded(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    known = load_manifest().entry("algnet-small-motion")
    assert known.file is not None
    copy = tmp_path / "plain.safetensors"
    save_file(load_file(load_manifest().folder / known.file), copy)
    network = ModelOptions(weights=str(copy), device="cpu")
    (foreseen,) = unloaded(network, on_cluster=False).fleet.values()
    assert not isinstance(foreseen, UnloadedNetwork)
    assert foreseen.settings == network.load().settings


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of the manifest's entry `small`, which advises pooling and nothing else."""
    network = create_model("nafnet", width=4, encoder_blocks=(1,), decoder_blocks=(1,)).network
    path = tmp_path / "small.pth"
    torch.save(network.state_dict(), path)
    (tmp_path / MANIFEST).write_text(
        f"""
        [defaults]
        motion = ["small"]
        [[weights]]
        id = "small"
        task = "motion"
        architecture = "nafnet"
        licence = "MIT"
        file = "small.pth"
        sha256 = "{file_sha256(path)}"
        bytes = {path.stat().st_size}
        trained_on = []
        config = {{width = 4, encoder_blocks = [1], decoder_blocks = [1]}}
        inference = {{pooling = 256}}
        """
    )
    monkeypatch.setattr(manifest, "weights_folder", lambda: tmp_path)
    return path


def test_listed_weights_need_no_advice(listed: Path) -> None:
    network = ModelOptions(device="cpu")
    (foreseen,) = unloaded(network, on_cluster=False).fleet.values()
    assert isinstance(foreseen, UnloadedNetwork)
    assert foreseen.settings == network.load().settings


def test_damaged_weights_are_refused_as_by_a_run(
    deblur: Command, tmp_path: Path, listed: Path
) -> None:
    save_picture(tmp_path / "photos/a.png", value=40)
    listed.write_bytes(listed.read_bytes()[:-1] + b"?")
    run, preview = (deblur("run", "photos", "-q", *more) for more in ([], ["--dry-run"]))
    assert "the checksum is" in run.stderr
    assert preview == run
    assert preview.returncode == WeightsError.exit_code


def test_what_was_done_is_known_and_no_cluster_is_asked(deblur: Command, tmp_path: Path) -> None:
    save_picture(tmp_path / "photos/a.png", value=40)
    command = ("run", "photos", "--model", "algnet-small-motion", "--device", "cpu")
    assert deblur(*command).returncode == 0
    for options in ([], ["--ray", "127.0.0.1:1"]):
        shown = deblur(*command, "--dry-run", *options)
        assert shown.returncode == 0
        assert shown.stdout == "already-done: photos/a.png -> photos_deblurred/a.png\n"


def test_torch_is_left_alone(tmp_path: Path) -> None:
    save_picture(tmp_path / "photos/a.png", value=40)
    command = "'run', 'photos', '--dry-run', '--model', 'algnet-small-motion'"
    script = (
        f"import sys; from deblur_cli.cli.app import app; app([{command}], standalone_mode=False); "
        "print(sorted({'torch', 'numba', 'ray'} & sys.modules.keys()))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1] == "[]"
