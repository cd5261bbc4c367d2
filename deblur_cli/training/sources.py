"""From a recipe's data table to the stream of training patches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from deblur_cli.data.camera import fit_exposure
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
from deblur_cli.training.recipe import Recipe

PAIR_SIDE = 256
"""Side of the pairs that patches are cut from (px), unless patches are larger still."""

SYNTHETIC: dict[str, Blur] = {
    "motion": MotionBlur(),
    "easy-motion": EASY_MOTION,
    "defocus": DefocusBlur(),
    "unblurred": NoBlur(),
}


def patch_stream(recipe: Recipe, root: Path, seed: int) -> PatchStream:
    """Open every source that the recipe draws from.

    Args:
        recipe: names the sources and their shares.
        root: the data folder that the recipe's paths are relative to.
        seed: of blur, crops and augmentation.

    Raises:
        UsageError: a folder is missing, empty, has unpaired photos, or pairs that are too small.
        ImageReadError: a photo or video is damaged.
    """
    sources: list[tuple[Callable[[float], float], Source]] = []
    photos = load_sharp(root / recipe.data.sharp)
    side = max(PAIR_SIDE, recipe.optimiser.patch)
    for number, name in enumerate(recipe.data.shares):
        share = partial(recipe.data.share, name)
        if name in SYNTHETIC:
            least = 0.0 if name == "unblurred" else NEARLY_EQUAL
            source = SyntheticPairs(photos, SYNTHETIC[name], side, least_difference=least)
            sources.append((share, RollingPool(source, seed + number)))
        else:
            sources.append((share, RealPairs(_real_pairs(name, recipe, root, seed), side)))
    return PatchStream(sources, recipe.optimiser.patch, seed)


def _real_pairs(name: str, recipe: Recipe, root: Path, seed: int) -> list[PicturePair]:
    if name == "frames":
        return frame_pairs(root / recipe.data.frames, np.random.default_rng(seed))
    pairs = [pair.read() for pair in find_pairs(root / recipe.data.pairs)]
    return [(blurred, fit_exposure(sharp, blurred)) for blurred, sharp in pairs]
