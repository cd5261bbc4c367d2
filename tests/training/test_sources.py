"""Streams by recipe: which sources, from which files; without torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from deblur_cli.errors import UsageError
from deblur_cli.training.recipe import Data, Recipe, load_recipe
from deblur_cli.training.sources import open_stream


def gravel(side: int) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_NEAREST)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Real defocus pairs beside synthetic ones, on 300x300 photos."""
    for folder in ("sharp", "pairs/blur", "pairs/sharp"):
        (tmp_path / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / folder / "a.png"), gravel(300))
    small = load_recipe("small-defocus")
    shares = {"defocus": 0.5, "pairs": 0.5}
    optimiser = replace(small.optimiser, patch=32, batch=3)
    return replace(small, data=Data("sharp", pairs="pairs", shares=shares), optimiser=optimiser)


def test_it_imports_without_torch() -> None:
    program = "import sys; sys.modules['torch'] = None; import deblur_cli.training.sources"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


def test_one_worker_or_none_make_batches_of_the_recipes_shape(
    recipe: Recipe, tmp_path: Path
) -> None:
    for workers in (0, 1):
        with open_stream(recipe, tmp_path, seed=0, workers=workers) as stream:
            blurred, sharp = stream.batch(0.5)
        assert blurred.shape == sharp.shape == (3, 32, 32, 3)
        assert not np.array_equal(blurred, sharp)


def test_pairs_that_are_too_small_are_named_before_any_worker_starts(
    recipe: Recipe, tmp_path: Path
) -> None:
    large = replace(recipe, optimiser=replace(recipe.optimiser, patch=304))
    with (
        pytest.raises(UsageError, match="300x300"),
        open_stream(large, tmp_path, seed=0, workers=2),
    ):
        pass
