"""From a recipe's data table to the stream of training patches; without torch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from deblur_cli.data.camera import Picture, fit_exposure
from deblur_cli.data.crops import (
    Augment,
    Cut,
    PicturePair,
    augment,
    flips,
    flips_and_rotations,
    flips_rotations_and_saturation,
    random_crop,
    unchanged,
    whole,
)
from deblur_cli.data.datasets import open_dataset
from deblur_cli.data.defocus import DefocusBlur
from deblur_cli.data.disk_pairs import DiskPairs, kept_decoded
from deblur_cli.data.frames import frame_pairs
from deblur_cli.data.motion import EASY_MOTION, MotionBlur
from deblur_cli.data.pairs import Pair, find_pairs
from deblur_cli.data.patches import PatchStream
from deblur_cli.data.photos import load_sharp
from deblur_cli.data.pool import RollingPool, Source
from deblur_cli.data.skipping import check_headers, in_words
from deblur_cli.data.sources import NEARLY_EQUAL, Blur, RealPairs, SyntheticPairs
from deblur_cli.data.unblurred import NoBlur
from deblur_cli.data.workers import WorkerStream
from deblur_cli.errors import UsageError
from deblur_cli.training.recipe import SYNTHETIC, Augmentation, Recipe

PAIR_SIDE = 256
"""Side of the pairs that patches are cut from (px), unless patches are larger still."""

BLURS: Mapping[str, Blur] = {
    "motion": MotionBlur(),
    "easy-motion": EASY_MOTION,
    "defocus": DefocusBlur(),
    "unblurred": NoBlur(),
}


CUTS: Mapping[str, Cut] = {"crop": random_crop, "resize": whole}

AUGMENTATIONS: Mapping[Augmentation, Augment] = {
    "flips": flips,
    "flips-rotations": flips_and_rotations,
    "flips-rotations-channels": augment,
    "flips-rotations-saturation": flips_rotations_and_saturation,
}

DECODED_BYTES = 2 * 10**9
"""Memory for decoded crops of a published set, of all workers together."""

Warn = Callable[[str], object]


@dataclass(frozen=True)
class Pictures:
    """Everything that a recipe reads from disk, and what stays there."""

    sharp: list[Picture]
    pairs: Mapping[str, list[PicturePair]]
    """Real pairs by the name of their source."""
    dataset: list[Pair]
    """Usable pairs of the published set; they are decoded when they are drawn."""


@contextmanager
def open_stream(
    recipe: Recipe, root: Path, seed: int, workers: int, warn: Warn = warnings.warn
) -> Iterator[PatchStream | WorkerStream]:
    """Load or list every picture, and make patches of them within the block.

    Args:
        recipe: names the sources and their shares.
        root: the data folder that the recipe's paths are relative to.
        seed: of blur, crops and augmentation.
        workers: processes that make the patches; 0 makes them in this one, when they are asked for.
        warn: is told what is odd about the data but no reason to stop.

    Raises:
        UsageError: a folder is missing, empty, has unpaired photos, or pairs that are too small.
        ImageReadError: a photo or video is damaged.
    """
    pictures = load_pictures(recipe, root, seed, warn)
    make_stream = partial(patch_stream, recipe, pictures, DECODED_BYTES // max(1, workers))
    stream = make_stream(seed)
    if workers == 0:
        yield stream
        return
    with closing(WorkerStream(make_stream, seed, workers)) as by_workers:
        del make_stream, stream, pictures  # the pictures are in shared memory now
        yield by_workers


def load_pictures(recipe: Recipe, root: Path, seed: int, warn: Warn = warnings.warn) -> Pictures:
    """Read what the recipe's sources need; raises as `open_stream`."""
    data = recipe.data
    loaded = [name for name in data.shares if name in ("frames", "pairs")]
    return Pictures(
        sharp=load_sharp(root / data.sharp) if set(SYNTHETIC) & data.shares.keys() else [],
        pairs={name: _real_pairs(name, recipe, root, seed) for name in loaded},
        dataset=_usable_pairs(recipe, root, warn) if "dataset" in data.shares else [],
    )


def patch_stream(recipe: Recipe, pictures: Pictures, memory: int, seed: int) -> PatchStream:
    """Open every source that the recipe draws from, with so many bytes for decoded crops.

    Raises:
        UsageError: a real pair is too small.
    """
    data = recipe.data
    largest = max(stage.patch for stage in recipe.all_stages())
    side = max(PAIR_SIDE, largest)
    sources: list[tuple[Callable[[float], float], Source]] = []
    for number, name in enumerate(data.shares):
        if name in SYNTHETIC:
            least = 0.0 if name == "unblurred" else NEARLY_EQUAL
            blurring = SyntheticPairs(pictures.sharp, BLURS[name], side, least_difference=least)
            source: Source = RollingPool(blurring, seed + number)
        elif name == "dataset":
            decoding = DiskPairs(pictures.dataset, largest, largest, unchanged, CUTS[data.fit])
            source = kept_decoded(decoding, seed + number, memory)
        else:
            source = RealPairs(pictures.pairs[name], side)
        sources.append((partial(data.share, name), source))
    return PatchStream(
        sources,
        patch=lambda progress: recipe.stage(progress).patch,
        count=lambda progress: recipe.stage(progress).batch,
        seed=seed,
        augment=AUGMENTATIONS[data.augmentation],
    )


def _real_pairs(name: str, recipe: Recipe, root: Path, seed: int) -> list[PicturePair]:
    if name == "frames":
        return frame_pairs(root / recipe.data.frames, np.random.default_rng(seed))
    pairs = [pair.read() for pair in find_pairs(root / recipe.data.pairs)]
    return [(blurred, fit_exposure(sharp, blurred)) for blurred, sharp in pairs]


def _usable_pairs(recipe: Recipe, root: Path, warn: Warn) -> list[Pair]:
    """The published set's pairs, without those whose headers already show that they are no use."""
    dataset = open_dataset(recipe.data.dataset, root, recipe.data.split)
    faults = check_headers(dataset, smallest=max(stage.patch for stage in recipe.all_stages()))
    for message in dataset.warnings:
        warn(message)
    if len(faults) == len(dataset):
        raise UsageError(in_words(faults, len(dataset)), remedy="check the data set")
    if faults:
        warn(in_words(faults, len(dataset)))
    return [pair for pair in dataset if pair not in faults]
