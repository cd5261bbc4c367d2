"""From a recipe's data table to the stream of training patches; without torch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
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
from deblur_cli.data.handheld import HandheldVideo
from deblur_cli.data.motion import EASY_MOTION, MotionBlur
from deblur_cli.data.pairs import Pair, find_pairs
from deblur_cli.data.patches import PatchStream
from deblur_cli.data.photos import list_photos, read_rgb
from deblur_cli.data.pool import RollingPool, Source
from deblur_cli.data.published import PUBLISHED
from deblur_cli.data.skipping import SkippingReader, check_headers, in_words
from deblur_cli.data.sources import NEARLY_EQUAL, Blur, RealPairs, SyntheticPairs
from deblur_cli.data.unblurred import NoBlur
from deblur_cli.data.workers import WorkerStream
from deblur_cli.errors import ImageReadError, UsageError
from deblur_cli.training.recipe import SYNTHETIC, Augmentation, Recipe

PAIR_SIDE = 256
"""Least side of the pairs that patches are cut from (px); larger patches need larger ones."""

SyntheticBlur = MotionBlur | HandheldVideo | DefocusBlur | NoBlur

BLURS: Mapping[str, SyntheticBlur] = {
    "motion": MotionBlur(),
    "easy-motion": EASY_MOTION,
    "handheld": HandheldVideo(),
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

DECODED_SIDES = 2
"""Side of the crops that are kept decoded, in patches: each serves several, from other places."""

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
        UsageError: a folder is missing, empty, has unpaired photos, or none that can be used.
        ImageReadError: a video is damaged.
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


def set_or_folder(given: Path) -> str:
    """A published set by its name, as it lies in the data folder; or the path of a folder."""
    return str(given if str(given) in PUBLISHED else given.resolve())


def load_pictures(recipe: Recipe, root: Path, seed: int, warn: Warn = warnings.warn) -> Pictures:
    """Read what the recipe's sources need; raises as `open_stream`."""
    data = recipe.data
    loaded = [name for name in data.shares if name in ("frames", "pairs")]
    return Pictures(
        sharp=_photos(root / data.sharp, warn) if set(SYNTHETIC) & data.shares.keys() else [],
        pairs={name: _real_pairs(name, recipe, root, seed, warn) for name in loaded},
        dataset=_usable_pairs(recipe, root, warn) if "dataset" in data.shares else [],
    )


def patch_stream(recipe: Recipe, pictures: Pictures, memory: int, seed: int) -> PatchStream:
    """Open every source that the recipe draws from, with so many bytes for decoded crops.

    Raises:
        UsageError: a real pair is too small.
    """
    data = recipe.data
    largest, side = _largest_patch(recipe), _side(recipe)
    sources: list[tuple[Callable[[float], float], Source]] = []
    for number, name in enumerate(data.shares):
        if name in SYNTHETIC:
            least = 0.0 if name == "unblurred" else NEARLY_EQUAL
            blur = _in_light(BLURS[name], data.linear_share)
            blurring = SyntheticPairs(pictures.sharp, blur, side, least_difference=least)
            source: Source = RollingPool(blurring, seed + number)
        elif name == "dataset":
            kept = largest * (DECODED_SIDES if data.fit == "crop" else 1)
            decoding = DiskPairs(pictures.dataset, largest, kept, unchanged, CUTS[data.fit])
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


def _in_light(blur: SyntheticBlur, share: float | None) -> Blur:
    if share is None:
        return blur
    return replace(blur, camera=replace(blur.camera, linear_share=share))


def _photos(folder: Path, warn: Warn) -> list[Picture]:
    paths, photos, faults = list_photos(folder), [], {}
    for path in paths:
        try:
            photos.append(read_rgb(path))
        except ImageReadError as error:
            faults[path] = str(error)
    _tell(faults, len(paths), warn)
    return photos


def _real_pairs(name: str, recipe: Recipe, root: Path, seed: int, warn: Warn) -> list[PicturePair]:
    if name == "frames":
        return frame_pairs(root / recipe.data.frames, np.random.default_rng(seed))
    pairs, reader = find_pairs(root / recipe.data.pairs), SkippingReader(smallest=_side(recipe))
    fitted = [
        (blurred, fit_exposure(sharp, blurred)) for _, (blurred, sharp) in reader.read_all(pairs)
    ]
    _tell(reader.faults, len(pairs), warn)
    return fitted


def _side(recipe: Recipe) -> int:
    """Side of the pairs that patches are cut from (px)."""
    return max(PAIR_SIDE, _largest_patch(recipe))


def _largest_patch(recipe: Recipe) -> int:
    return max(stage.patch for stage in recipe.all_stages())


def _usable_pairs(recipe: Recipe, root: Path, warn: Warn) -> list[Pair]:
    """The published set's pairs, without those whose headers already show that they are no use."""
    dataset = open_dataset(recipe.data.dataset, root, recipe.data.split)
    for message in dataset.warnings:
        warn(message)
    faults = check_headers(dataset, smallest=_largest_patch(recipe))
    _tell(faults, len(dataset), warn)
    return [pair for pair in dataset if pair not in faults]


def _tell(faults: Mapping[Pair, str] | Mapping[Path, str], count: int, warn: Warn) -> None:
    """Say what is left out, of so many; raise `UsageError` if that is everything."""
    if len(faults) == count:
        raise UsageError(in_words(faults, count))
    if faults:
        warn(in_words(faults, count))
