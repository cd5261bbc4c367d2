"""From a recipe's data table to the stream of training patches; without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from deblur_cli.data.camera import Picture, fit_exposure
from deblur_cli.data.crops import PicturePair
from deblur_cli.data.defocus import DefocusBlur
from deblur_cli.data.frames import frame_pairs
from deblur_cli.data.motion import EASY_MOTION, MotionBlur
from deblur_cli.data.pairs import find_pairs
from deblur_cli.data.patches import PatchStream
from deblur_cli.data.photos import load_sharp
from deblur_cli.data.pool import RollingPool, Source
from deblur_cli.data.sources import NEARLY_EQUAL, Blur, RealPairs, SyntheticPairs
from deblur_cli.data.unblurred import NoBlur
from deblur_cli.data.workers import WorkerStream
from deblur_cli.training.recipe import Recipe

PAIR_SIDE = 256
"""Side of the pairs that patches are cut from (px), unless patches are larger still."""

SYNTHETIC: dict[str, Blur] = {
    "motion": MotionBlur(),
    "easy-motion": EASY_MOTION,
    "defocus": DefocusBlur(),
    "unblurred": NoBlur(),
}


@dataclass(frozen=True)
class Pictures:
    """Everything that a recipe reads from disk."""

    sharp: list[Picture]
    pairs: Mapping[str, list[PicturePair]]
    """Real pairs by the name of their source."""


@contextmanager
def open_stream(
    recipe: Recipe, root: Path, seed: int, workers: int
) -> Iterator[PatchStream | WorkerStream]:
    """Load every picture, and make patches of them within the block.

    Args:
        recipe: names the sources and their shares.
        root: the data folder that the recipe's paths are relative to.
        seed: of blur, crops and augmentation.
        workers: processes that make the patches; 0 makes them in this one, when they are asked for.

    Raises:
        UsageError: a folder is missing, empty, has unpaired photos, or pairs that are too small.
        ImageReadError: a photo or video is damaged.
    """
    make_stream = partial(patch_stream, recipe, load_pictures(recipe, root, seed))
    stream = make_stream(seed)
    if workers == 0:
        yield stream
        return
    with closing(WorkerStream(make_stream, seed, workers)) as by_workers:
        del make_stream, stream  # the pictures are in shared memory now
        yield by_workers


def load_pictures(recipe: Recipe, root: Path, seed: int) -> Pictures:
    """Read what the recipe's sources need; raises as `open_stream`."""
    real = [name for name in recipe.data.shares if name not in SYNTHETIC]
    return Pictures(
        sharp=load_sharp(root / recipe.data.sharp),
        pairs={name: _real_pairs(name, recipe, root, seed) for name in real},
    )


def patch_stream(recipe: Recipe, pictures: Pictures, seed: int) -> PatchStream:
    """Open every source that the recipe draws from.

    Raises:
        UsageError: a real pair is too small.
    """
    sources: list[tuple[Callable[[float], float], Source]] = []
    settings = recipe.optimiser
    side = max(PAIR_SIDE, settings.patch)
    for number, name in enumerate(recipe.data.shares):
        share = partial(recipe.data.share, name)
        if name in SYNTHETIC:
            least = 0.0 if name == "unblurred" else NEARLY_EQUAL
            source = SyntheticPairs(pictures.sharp, SYNTHETIC[name], side, least_difference=least)
            sources.append((share, RollingPool(source, seed + number)))
        else:
            sources.append((share, RealPairs(pictures.pairs[name], side)))
    return PatchStream(sources, settings.patch, settings.batch, seed)


def _real_pairs(name: str, recipe: Recipe, root: Path, seed: int) -> list[PicturePair]:
    if name == "frames":
        return frame_pairs(root / recipe.data.frames, np.random.default_rng(seed))
    pairs = [pair.read() for pair in find_pairs(root / recipe.data.pairs)]
    return [(blurred, fit_exposure(sharp, blurred)) for blurred, sharp in pairs]
