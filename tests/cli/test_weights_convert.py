"""`deblur weights convert` and `push`: weights that leave here, or come from elsewhere."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors import safe_open
from safetensors.torch import load_file

from tests.checkpoints.hub_server import FakeHub, point_to, serving
from tests.checkpoints.hub_uploads import COMMITTED, TOKEN
from tests.checkpoints.run_folder import leave_run, tiny_model
from tests.cli.conftest import Command
from tests.pipeline.fakes import save_picture
from tests.training.tiny import TINY


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
        dtype = "bfloat16" if "bfloat16" in one["method"] else "float32"
        chosen = ("--weights", "net.safetensors", "--dtype", dtype)
        evaluated = deblur("eval", *chosen, "--dataset", folder, "--json")
        for line in map(json.loads, evaluated.stdout.splitlines()[:-1]):
            for name, figure in one["pictures"][line["name"]].items():
                assert figure == pytest.approx(line[name], abs=1e-6)
    assert "2 pairs (`set/val`, net on cpu" in card
    assert "On 2 sharp photographs" in card


def test_convert_to_what_the_authors_code_loads_and_back(
    deblur: Command, checkpoint: Path, tmp_path: Path
) -> None:
    assert deblur("weights", "convert", "net.pth", "--float32").returncode == 0
    refused = deblur("weights", "convert", "net.safetensors", "--to", "official")
    assert refused.returncode == 2
    assert "net.pth: exists already" in refused.stderr
    ours = "net.safetensors"
    official = deblur("weights", "convert", ours, "--to", "official", "-o", "official.pth")
    assert (official.returncode, official.stdout) == (0, "official.pth\n")
    state = torch.load(tmp_path / "official.pth", weights_only=True)["state_dict"]
    wanted = tiny_model(1).network.state_dict()
    assert state.keys() == wanted.keys()
    assert all(torch.equal(state[key], wanted[key]) for key in wanted)
    assert not (tmp_path / "official.md").exists()


def test_push_prints_how_the_weights_are_used_from_there(
    deblur: Command, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    assert deblur("weights", "convert", "net.pth").returncode == 0
    push = ("weights", "push", "net.safetensors", "me/net", "--licence", "mit")
    with serving(FakeHub({})) as hub:
        point_to(hub.endpoint, monkeypatch)
        pushed = deblur(*push)
        assert pushed.returncode == 0, pushed.stderr
        assert pushed.stdout == f"hub:me/net/net.safetensors@{COMMITTED}\n"
        again = deblur(*push)
        assert again.returncode == 2
        assert "--overwrite" in again.stderr
        line = json.loads(deblur(*push, "--overwrite", "--json").stdout)
        assert (line["event"], line["repo"]) == ("weights-pushed", "me/net")
    assert TOKEN not in pushed.stderr + again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("net.pth", "me/net", "--licence", "mit"), 2, "net.pth: does not say what it is"),
        (("gone.safetensors", "me/net"), 3, "gone.safetensors: cannot be read"),
        (("net.safetensors", "me/net"), 2, "nothing is known of its licence"),
        (("net.safetensors", "net", "--licence", "mit"), 2, "'net' is no repository"),
        (("net.safetensors", "me/net", "--licence", "mit"), 2, "HF_TOKEN"),
    ],
)
def test_push_says_what_is_wrong(
    deblur: Command,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    assert deblur("weights", "convert", "net.pth").returncode == 0
    refused = deblur("weights", "push", *arguments)
    assert refused.returncode == code
    assert message in refused.stderr
    assert "unexpected" not in refused.stderr


def test_convert_takes_what_a_training_leaves(deblur: Command, tmp_path: Path) -> None:
    save_picture(tmp_path / "photos/1.png", size=(320, 320))
    (tmp_path / "tiny.toml").write_text(TINY.replace('"."', '"photos"'))
    for side in ("blur", "sharp"):
        save_picture(tmp_path / "pairs" / side / "1.png", size=(64, 64))
    options = ("--data", ".", "--iterations", "3", "--validation", "pairs")
    trained = deblur("train", "tiny.toml", *options, "-o", "run")
    assert trained.returncode == 0, trained.stderr
    assert deblur("weights", "convert", "run").returncode == 0
    assert str(tmp_path) not in (tmp_path / "run.md").read_text("utf-8")
    metadata = metadata_of(tmp_path / "run.safetensors")
    assert metadata["task"] == "motion"
    data = tomllib.loads(metadata["recipe"])["data"]
    assert (data["sharp"], data["validation"]) == ("photos", "pairs")
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
        (("notes.pth",), 3, "notes.pth: is no checkpoint"),
        (("empty",), 3, "empty: has neither weights.safetensors nor state.pt"),
        (("net.pth", "-o", "net2.pth"), 2, "net2.pth: is no name for converted weights"),
        (("net.pth", "-o", "no/net.safetensors"), 3, "cannot be written: No such file"),
        (("net.pth", "--to", "official", "-o", "a.pt"), 2, "no name for the official weights"),
        (("net.pth", "--to", "official", "--overwrite"), 2, "which is left as it is"),
        (("net.pth", "--to", "official", "--trained-on", "GoPro"), 2, "hold no --measure"),
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
