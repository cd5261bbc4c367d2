"""Every bundled recipe trains on a small set in its set's layout, with a network made narrow.

More steps than usual are taken with `DEBLUR_STEPS=20`.
"""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch.nn.functional as F
from torch import Tensor

from deblur_cli.data.datasets import open_dataset
from deblur_cli.errors import UsageError
from deblur_cli.models import load_model
from deblur_cli.training import contrast
from deblur_cli.training.events import Event, Note, Stepped
from deblur_cli.training.recipe import bundled_recipes, load_recipe
from deblur_cli.training.schedule import Budget
from deblur_cli.training.session import TrainingOptions, run_training
from deblur_cli.training.state import read_state
from tests.data.layouts import WRITERS, textured, write_flat

STEPS = int(os.environ.get("DEBLUR_STEPS", "2"))

NARROW = {
    "algnet": (
        "width=4",
        "encoder_blocks=[1]",
        "middle_blocks=1",
        "decoder_blocks=[1]",
        "state_size=2",
    ),
    "nafnet": ("width=4", "encoder_blocks=[1]", "middle_blocks=1", "decoder_blocks=[1]"),
    "xyscannet": ("width=4", "blocks=[1, 1, 1]"),
    "fcn": (
        "width=8",
        "unet_step=4",
        "full_resolution_step=4",
        "attention_blocks=1",
        "reduction=4",
    ),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every set that a recipe names, as small as its layout allows."""
    root = tmp_path_factory.mktemp("data")
    for name in {load_recipe(recipe).data.dataset for recipe in bundled_recipes()} - {""}:
        WRITERS[name](root, "train", textured(2))
    WRITERS["dpdd"](root, "val", textured(2))
    blurred, sharp = textured(1, 304, 304)[0]
    (root / "sharp").mkdir()
    cv2.imwrite(str(root / "sharp" / "gravel.png"), cv2.resize(sharp, None, fx=2, fy=2))
    motion, defocus = root / "pairs" / "motion-gopro", root / "pairs" / "defocus-dpdd1024"
    write_flat(defocus, "train", [(blurred, sharp)])
    motion.mkdir(parents=True)
    size = (320, 272)
    video = cv2.VideoWriter(
        str(motion / "GOPR0477_11_00_240fps.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 240, size
    )
    scene = np.ascontiguousarray(textured(1, size[1], size[0])[0][1])
    for shift in range(24):
        video.write(np.roll(scene, shift, axis=1))
    video.release()
    return root


def shrunken(name: str) -> tuple[str, ...]:
    """Overrides that leave a recipe its losses, schedule, sources and stages."""
    recipe = load_recipe(name)
    stages = [f"{{after = {s.after}, patch = 24, batch = 1}}" for s in recipe.stages]
    levels = ["network.global_levels=[1]"] if recipe.network.get("global_levels") else []
    return (
        *(f"network.{setting}" for setting in NARROW[recipe.architecture]),
        *levels,
        *(() if recipe.iterations is None else (f"iterations={STEPS}",)),
        f"stages=[{', '.join(stages)}]",
        "optimiser.patch=16",
        "optimiser.batch=2",
        "starts_from=",
    )


class Watch:
    """Stops a run that has no end of its own."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.steps = 0
        self.notes: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note):
            self.notes.append(event.text)
        if isinstance(event, Stepped):
            self.steps = event.step
            if event.step == STEPS:
                self.stop.set()


def features(images: Tensor) -> Tensor:
    """Stand-in for VGG19."""
    return F.avg_pool2d(images, 4)


@pytest.mark.parametrize("name", bundled_recipes())
def test_it_trains_on_its_set_and_leaves_weights_that_load(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contrast, "vgg19_features", lambda: features)
    options = TrainingOptions(name, data, tmp_path, overrides=shrunken(name), device="cpu")
    watch = Watch()
    seconds = math.inf if load_recipe(name).iterations else 1e6
    run_training(options, Budget(seconds), watch, watch.stop)
    state = read_state(tmp_path)
    assert state is not None
    assert (watch.steps, state["step"], state["skipped"]) == (STEPS, STEPS, 0)
    trained = load_model(tmp_path / "weights.safetensors")
    assert trained.descriptor.name == load_recipe(name).architecture


def test_a_picture_that_decoding_finds_damaged_is_skipped_and_named(
    tmp_path: Path,
) -> None:
    WRITERS["gopro"](tmp_path, "train", textured(4))
    damaged = next(tmp_path.glob("GOPRO_Large/train/*/blur/000001.png"))
    damaged.write_bytes(damaged.read_bytes()[:-400])
    overrides = (*shrunken("algnet-gopro"), "optimiser.batch=8")
    options = TrainingOptions("algnet-gopro", tmp_path, tmp_path / "run", overrides, device="cpu")
    watch = Watch()
    run_training(options, Budget(math.inf), watch, watch.stop)
    assert [note for note in watch.notes if f"skipped: {damaged}" in note]


def test_fine_tuning_without_weights_is_refused(data: Path, tmp_path: Path) -> None:
    overrides = tuple(o for o in shrunken("xyscannet-realblur-j") if o != "starts_from=")
    options = TrainingOptions("xyscannet-realblur-j", data, tmp_path, overrides, device="cpu")
    with pytest.raises(UsageError, match=r"weights of 'xyscannet-gopro-release' \(.*--init"):
        run_training(options, Budget(math.inf), Watch(), threading.Event())


def test_every_set_of_a_recipe_is_found_by_its_name(data: Path) -> None:
    for name in {load_recipe(recipe).data.dataset for recipe in bundled_recipes()} - {""}:
        assert len(open_dataset(name, data, "train")) == 2
