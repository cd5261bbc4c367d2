from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from safetensors.torch import save_file

from deblur_cli.checkpoints import hub, manifest
from deblur_cli.models import create_model

EXAMPLE = """
[defaults]
motion = ["large-motion", "tiny-motion"]
defocus = ["tiny-defocus"]

[[weights]]
id = "large-motion"
task = "motion"
architecture = "algnet"
licence = "Apache-2.0"
hub = {{ repo = "someone/weights", file = "nets/large.safetensors", revision = "0123abc" }}
sha256 = "{sha256}"
bytes = {bytes}
trained_on = ["GoPro"]
measured = {{ gopro_psnr = 33.5 }}

[[weights]]
id = "tiny-motion"
task = "motion"
architecture = "algnet"
licence = "Apache-2.0"
file = "tiny-motion.safetensors"
sha256 = "{sha256}"
bytes = {bytes}
trained_on = ["synthetic camera shake over public photos", "frame averages"]
command = "deblur train recipes/motion.toml"
config = {{ width = 4, encoder_blocks = [1], decoder_blocks = [1] }}
measured = {{ gopro_psnr = 24.4, gopro_psnr_blurred = 23.9 }}
inference = {{ tile = 256, overlap = 32, pooling = 128, match_mean = true }}

[[weights]]
id = "tiny-defocus"
task = "defocus"
architecture = "algnet"
licence = "Apache-2.0"
file = "tiny-defocus.safetensors"
sha256 = "{sha256}"
bytes = {bytes}
trained_on = ["DPDD"]
"""


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept from one test to the next, nor in the folders of whoever runs them."""
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(hub, "_unreachable", {})
    monkeypatch.setattr(hub, "PATIENCE", 60.0)  # a busy machine is no silent host


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = create_model(
        "algnet", width=4, encoder_blocks=(1,), decoder_blocks=(1,), global_levels=()
    )
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    save_file(model.network.state_dict(), path)
    return path


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder that `load_manifest()` finds: one entry on the Hub, two bundled."""
    content = checkpoint.read_bytes()
    for name in ("tiny-motion", "tiny-defocus"):
        (tmp_path / f"{name}.safetensors").write_bytes(content)
    text = EXAMPLE.format(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    (tmp_path / manifest.MANIFEST).write_text(text, encoding="utf-8")
    monkeypatch.setattr(manifest, "weights_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the Hub with nothing in it."""
    from huggingface_hub import constants

    cache = tmp_path / "hub-cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    return cache
