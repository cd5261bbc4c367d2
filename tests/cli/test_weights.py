from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from deblur_cli.checkpoints import manifest
from tests.cli.conftest import Command

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
