from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from deblur_cli.checkpoints import manifest
from tests.checkpoints.run_folder import leave_run, tiny_model
from tests.cli.conftest import Command
from tests.pipeline.fakes import save_picture

CONTENT = b"numbers"
MANIFEST = f"""
[defaults]
motion = ["small"]

[[weights]]
id = "small"
task = "motion"
architecture = "algnet"
licence = "Apache-2.0"
file = "small.safetensors"
sha256 = "{hashlib.sha256(CONTENT).hexdigest()}"
bytes = {len(CONTENT)}
trained_on = ["a few photos"]
"""


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "manifest.toml").write_text(MANIFEST)
    (tmp_path / "small.safetensors").write_bytes(CONTENT)
    monkeypatch.setattr(manifest, "weights_folder", lambda: tmp_path)
    return tmp_path


def test_list(deblur: Command, weights: Path) -> None:
    listed = deblur("weights", "list")
    assert listed.returncode == 0
    for part in ("small", "motion", "algnet", "Apache-2.0", "a few photos"):
        assert part in listed.stdout
    (line,) = deblur("weights", "list", "--json").stdout.splitlines()
    assert json.loads(line)["id"] == "small"


def test_verify(deblur: Command, weights: Path) -> None:
    assert deblur("weights", "verify").stdout == "small: intact\n"
    (weights / "small.safetensors").write_bytes(b"damaged")
    verified = deblur("weights", "verify")
    assert verified.returncode == 3
    assert verified.stdout == "small: damaged\n"
    assert "not intact: small" in verified.stderr
    (line,) = deblur("weights", "verify", "--json").stdout.splitlines()
    assert json.loads(line)["state"] == "damaged"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.save({"params": tiny_model(1).network.state_dict()}, tmp_path / "net.pth")
    return tmp_path / "net.pth"


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


def test_convert(deblur: Command, checkpoint: Path, tmp_path: Path) -> None:
    converted = deblur("weights", "convert", "net.pth", "--trained-on", "GoPro")
    assert converted.returncode == 0
    assert converted.stdout == "net.safetensors\n"
    assert "grey levels" in converted.stderr
    metadata = metadata_of(tmp_path / "net.safetensors")
    assert (metadata["architecture"], metadata["dtype"]) == ("algnet", "float16")
    assert json.loads(metadata["trained_on"]) == ["GoPro"]
    assert "- GoPro" in (tmp_path / "net.md").read_text()


def test_convert_keeps_single_precision_if_asked(
    deblur: Command, checkpoint: Path, tmp_path: Path
) -> None:
    assert deblur("weights", "convert", "net.pth", "--float32", "-o", "a.safetensors").stdout
    assert metadata_of(tmp_path / "a.safetensors")["dtype"] == "float32"


def test_convert_measures_what_eval_measures(
    deblur: Command, checkpoint: Path, tmp_path: Path
) -> None:
    for number in (1, 2):
        save_picture(tmp_path / f"set/val/blur/{number}.png", value=100, size=(16, 16))
        save_picture(tmp_path / f"set/val/sharp/{number}.png", value=150, size=(16, 16))
    folders = ("set/val", "set/val/sharp")
    measure = [part for folder in folders for part in ("--measure", folder)]
    assert deblur("weights", "convert", "net.pth", *measure).returncode == 0
    measured = json.loads(metadata_of(tmp_path / "net.safetensors")["measured"])
    assert [one["dataset"] for one in measured] == ["set/val", "val/sharp"]
    card = (tmp_path / "net.md").read_text()
    for folder, one in zip(folders, measured, strict=True):
        evaluated = deblur("eval", "--weights", "net.safetensors", "--dataset", folder, "--json")
        for line in map(json.loads, evaluated.stdout.splitlines()[:-1]):
            for name, figure in one["pictures"][line["name"]].items():
                assert figure == pytest.approx(line[name], abs=1e-6)
    assert "2 pairs (`set/val`, net on cpu" in card
    assert "On 2 sharp photographs" in card


RECIPE = """
task = "motion"
architecture = "algnet"
[network]
width = 4
encoder_blocks = [1]
decoder_blocks = [1]
global_levels = []
[optimiser]
batch = 1
patch = 32
ema_decay = 0.9
[data]
sharp = "photos"
[data.shares]
unblurred = 1
"""


def test_convert_takes_what_a_training_leaves(deblur: Command, tmp_path: Path) -> None:
    save_picture(tmp_path / "photos/1.png", size=(320, 320))
    (tmp_path / "tiny.toml").write_text(RECIPE)
    trained = deblur("train", "tiny.toml", "--data", ".", "--iterations", "3", "-o", "run")
    assert trained.returncode == 0, trained.stderr
    assert deblur("weights", "convert", "run").returncode == 0
    metadata = metadata_of(tmp_path / "run.safetensors")
    assert metadata["task"] == "motion"
    assert tomllib.loads(metadata["recipe"])["data"]["sharp"] == "photos"
    assert "photos" in metadata["trained_on"]
    training = json.loads(metadata["training"])
    assert (training["steps"], training["init"]) == (3, None)
    state = deblur("weights", "convert", "run/state.pt", "-o", "state.safetensors")
    assert state.returncode == 0
    stored = load_file(tmp_path / "state.safetensors")
    for key, value in load_file(tmp_path / "run" / "weights.safetensors").items():
        assert torch.equal(stored[key], value)  # the mean of the weights, in both


def test_convert_replaces_nothing_unless_told_so(
    deblur: Command, checkpoint: Path, tmp_path: Path
) -> None:
    run = leave_run(tmp_path / "run", tiny_model(2))
    assert deblur("weights", "convert", "net.pth", "-o", "run.safetensors").returncode == 0
    before = (tmp_path / "run.safetensors").read_bytes()
    refused = deblur("weights", "convert", "run")
    assert refused.returncode == 2
    assert "run.safetensors: exists already" in refused.stderr
    assert (tmp_path / "run.safetensors").read_bytes() == before
    assert deblur("weights", "convert", run, "--overwrite").returncode == 0
    assert metadata_of(tmp_path / "run.safetensors")["task"] == "defocus"
    assert "1234 steps" in (tmp_path / "run.md").read_text()
    itself = deblur("weights", "convert", "run.safetensors", "--overwrite")
    assert itself.returncode == 2
    assert "which is left as it is" in itself.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("absent.pth",), 3, "absent.pth: there is no such weights file"),
        (("notes.pth",), 3, "notes.pth: is damaged, or no checkpoint"),
        (("empty",), 3, "empty: has neither weights.safetensors nor state.pt"),
        (("net.pth", "-o", "net2.pth"), 2, "net2.pth: is no name for converted weights"),
        (("net.pth", "-o", "no/net.safetensors"), 3, "cannot be written: No such file"),
        (("net.pth", "--measure", "nowhere"), 2, "'nowhere' is no folder"),
        (("net.pth", "--measure", "empty"), 2, "empty"),
    ],
)
def test_convert_says_what_is_wrong(
    deblur: Command,
    checkpoint: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.pth").write_text("remember the milk")
    before = set(tmp_path.iterdir())
    refused = deblur("weights", "convert", *arguments)
    assert refused.returncode == code
    assert message in refused.stderr
    assert "unexpected" not in refused.stderr
    assert set(tmp_path.iterdir()) == before
