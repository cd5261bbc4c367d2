"""Adoption: the better network's file, manifest entry and figures go in together, or nothing."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import adopt
from benchmarks.adopt import Measured
from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.convert import read_checkpoint
from deblur_cli.checkpoints.manifest import load_manifest, weights_folder
from deblur_cli.checkpoints.metadata import Measurement
from deblur_cli.training.recipe import load_recipe, to_toml
from tests.checkpoints.run_folder import leave_run, tiny_model


def measured(gain: float, sharp: float, shake: float = 1.0) -> Measured:
    pair = {
        "psnr_before": 20.0,
        "psnr_after": 20.0 + gain,
        "psnr_gain": gain,
        "ssim_before": 0.7,
        "ssim_after": 0.75,
    }
    return Measured(
        Measurement("val", "net", {"a": pair}),
        Measurement("kodak", "net", {"b": {"psnr_to_input": sharp}}),
        Measurement("shaken", "net", {"c": {**pair, "psnr_gain": shake}}),
    )


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the bundled weights' folder, in their place."""
    copy = tmp_path / "weights"
    shutil.copytree(weights_folder(), copy)
    monkeypatch.setattr(adopt, "weights_folder", lambda: copy)
    monkeypatch.setattr(adopt, "load_manifest", lambda: load_manifest(copy))
    return copy


@pytest.fixture
def run(tmp_path: Path) -> Path:
    recipe = to_toml(load_recipe("small-motion"))
    return leave_run(tmp_path / "small-motion", tiny_model(1), weights=tiny_model(1), recipe=recipe)


def adopt_if_better(
    monkeypatch: pytest.MonkeyPatch, run: Path, candidate: Measured, present: Measured
) -> None:
    results = iter((candidate, present))
    monkeypatch.setattr(adopt, "measure", lambda *_: next(results))
    monkeypatch.setattr(sys, "argv", ["adopt", str(run), "--data", "data"])
    assert adopt.main() == 0


def test_a_better_network_goes_in_with_its_figures(
    weights: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [e for e in load_manifest(weights).entries if e.id != "algnet-small-motion"]
    adopt_if_better(monkeypatch, run, measured(0.6, 40.0), measured(0.5, 40.0))
    entry = load_manifest(weights).entry("algnet-small-motion")
    file = weights / str(entry.file)
    assert (entry.sha256, entry.bytes) == (file_sha256(file), file.stat().st_size)
    adopted = read_checkpoint(file)
    assert adopted.model.descriptor.config["width"] == tiny_model(1).descriptor.config["width"]
    assert adopted.metadata.trained_on == tuple(entry.trained_on)
    assert adopted.metadata.task == "motion"
    assert entry.measured["psnr_gain"] == 0.6
    card = file.with_suffix(".md").read_text("utf-8")
    assert "1234 steps of 6 patches" in card and "10 minutes" in card and "+0.600" in card
    assert "CID22 (172)" in card and "Where it fails" in card
    assert [e for e in load_manifest(weights).entries if e.id != entry.id] == others


def test_adopting_again_replaces_the_figures(
    weights: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt_if_better(monkeypatch, run, measured(0.6, 40.0), measured(0.5, 40.0))
    adopt_if_better(monkeypatch, run, measured(0.7, 40.0), measured(0.6, 40.0))
    card = (weights / "algnet-small-motion.md").read_text("utf-8")
    assert "+0.700" in card and "+0.600" not in card


@pytest.mark.parametrize(
    ("candidate", "present"),
    [
        (measured(0.5, 40.0), measured(0.5, 37.0)),
        (measured(0.9, 35.0), measured(0.5, 37.0)),
        (measured(0.9, 40.0, shake=0.9), measured(0.5, 40.0)),
    ],
    ids=["no gain", "harms sharp photos", "restores shaken photos less"],
)
def test_otherwise_nothing_changes(
    weights: Path,
    run: Path,
    candidate: Measured,
    present: Measured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {path.name: path.read_bytes() for path in weights.iterdir()}
    adopt_if_better(monkeypatch, run, candidate, present)
    assert {path.name: path.read_bytes() for path in weights.iterdir()} == before


def test_a_harmless_network_replaces_a_harmful_one_even_if_it_gains_less() -> None:
    assert measured(0.4, 36.5).beats(measured(0.6, 35.3))
