"""The bundled weights: what the manifest says of them holds, and they do deblur."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.load import load_weights
from deblur_cli.checkpoints.manifest import Entry, load_manifest, weights_folder
from deblur_cli.checkpoints.resolve import resolve_weights
from deblur_cli.data.camera import Picture
from deblur_cli.data.defocus import DefocusBlur
from deblur_cli.data.distributions import LogNormal
from deblur_cli.data.motion import MotionBlur
from deblur_cli.data.photos import read_rgb
from deblur_cli.evaluation.measure import score_folder
from deblur_cli.evaluation.scores import mean_score
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.metrics import psnr
from tests.shared import shared_file

MANIFEST = load_manifest()
BUNDLED = [entry for entry in MANIFEST.entries if entry.file is not None]
LAST_RESORT = {task: MANIFEST.defaults(task)[-1] for task in MANIFEST.tasks}
"""The bundled weights for each task."""
PHOTOS = Path(skimage.__file__).parent / "data"
BLURS = {
    "motion": MotionBlur(extent=LogNormal(median=7, sigma=0.3, low=4, high=12)),
    "defocus": DefocusBlur(radius=LogNormal(median=3, sigma=0.2, low=2, high=4)),
}
BARS = {"motion": ("motion-gopro", 0.5, 3), "defocus": ("defocus-dpdd1024", 0.4, 4)}
"""Folder of validation pairs, mean gain in dB, and how many images must gain."""


def deblurrer_for(task: str, dtype: str = "auto") -> Deblurrer:
    return Deblurrer.from_pretrained(model=LAST_RESORT[task].id, dtype=dtype, offline=True)


def crop(name: str) -> Picture:
    return np.ascontiguousarray(read_rgb(PHOTOS / name)[40:296, 100:356])


@pytest.mark.parametrize("entry", BUNDLED, ids=lambda entry: entry.id)
def test_the_manifest_describes_the_file(entry: Entry) -> None:
    path = weights_folder() / str(entry.file)
    assert path.stat().st_size == entry.bytes <= 12_000_000
    assert file_sha256(path) == entry.sha256
    model = load_weights(resolve_weights(entry.task, model=entry.id, offline=True))
    assert model.descriptor.name == entry.architecture
    stated = {key: tuple(v) if isinstance(v, list) else v for key, v in entry.config.items()}
    assert {key: model.descriptor.config[key] for key in stated} == stated
    assert path.with_suffix(".md").is_file()


def test_public_weights_come_before_the_bundled_ones() -> None:
    motion = MANIFEST.defaults("motion")
    assert [entry.id for entry in motion] == ["nafnet-gopro-w64", "algnet-small-motion"]
    assert len(str(motion[0].hub and motion[0].hub.revision)) == 40  # a commit: always the same


@pytest.mark.parametrize("task", BLURS)
def test_blurred_photos_come_closer_to_the_truth(task: str) -> None:
    rng = np.random.default_rng(5)
    deblurrer = deblurrer_for(task, "float32")
    gains = []
    for name in ("astronaut.png", "coffee.png", "chelsea.png"):
        blurred, truth = BLURS[task](rng, crop(name))
        gains.append(psnr(deblurrer(blurred), truth) - psnr(blurred, truth))
    assert np.mean(gains) > 0.3


@pytest.mark.parametrize("task", BLURS)
def test_bfloat16_loses_less_than_a_twentieth_of_a_decibel(task: str) -> None:
    blurred, truth = BLURS[task](np.random.default_rng(5), crop("astronaut.png"))
    exact, rounded = (
        psnr(deblurrer_for(task, dtype)(blurred), truth) for dtype in ("float32", "bfloat16")
    )
    assert rounded > exact - 0.05


@pytest.mark.parametrize("task", BARS)
def test_real_validation_pairs_gain_what_was_promised(task: str) -> None:
    name, bar, gaining = BARS[task]
    pairs = shared_file("pairs", name, "val")
    scores = score_folder(pairs, deblurrer_for(task))
    gains = [score.figures["psnr_gain"] for score in scores]
    assert np.mean(gains) >= bar
    assert sum(gain > 0 for gain in gains) >= gaining
    measured = LAST_RESORT[task].measured
    assert np.mean(gains) == pytest.approx(measured["psnr_gain"], abs=0.02)


@pytest.mark.parametrize("task", BARS)
def test_sharp_photos_stay_as_they_are(task: str) -> None:
    photos = shared_file("pairs", "sharp-kodak")
    scores = score_folder(photos, deblurrer_for(task))
    assert mean_score(scores).figures["psnr_to_input"] >= 36
