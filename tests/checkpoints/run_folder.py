"""The folder of a training run as `deblur train` leaves it, around a network of some test's own."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import save_file

from deblur_cli.models import RestorationModel, create_model

RECIPE = """
task = "defocus"
architecture = "algnet"

[network]
width = 4

[optimiser]
batch = 6
patch = 128

[data]
sharp = "photos"
frames = ""
pairs = "dpdd/train"
augmentation = ["flips"]

[data.shares]
defocus = 1
"""
INIT = "ab" * 32


def tiny_model(seed: int) -> RestorationModel:
    """A network with random parameters, some of which half precision has to round."""
    torch.manual_seed(seed)
    model = create_model(
        "algnet", width=4, encoder_blocks=(1,), decoder_blocks=(1,), global_levels=()
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model.eval()


def leave_run(
    folder: Path,
    last: RestorationModel,
    *,
    average: RestorationModel | None = None,
    weights: RestorationModel | None = None,
    recipe: str = RECIPE,
) -> Path:
    """Write a state and, if given, weights that are newer, as at the end of a run."""
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(recipe)
    mean = None if average is None else {"steps": 7, "model": average.network.state_dict()}
    state = {
        "learner": {
            "model": last.network.state_dict(),
            "average": mean,
            "optimiser": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": []},
        },
        "stream": {"position": 3},
        "settings": {"recipe": recipe, "seed": 0, "init": INIT},
        "step": 1234,
        "spent": 600.0,
        "skipped": 0,
    }
    torch.save(state, folder / "state.pt")
    if weights is not None:
        half = {key: value.half() for key, value in weights.network.state_dict().items()}
        save_file(half, folder / "weights.safetensors")
        set_age(folder / "state.pt", 60)
    return folder


def set_age(path: Path, seconds: float) -> None:
    """Make a file look so much older."""
    written = path.stat().st_mtime - seconds
    os.utime(path, (written, written))
