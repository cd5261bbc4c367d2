"""Streams by recipe: which sources, from which files; without torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from deblur_cli.data.crops import unchanged
from deblur_cli.errors import UsageError
from deblur_cli.training.recipe import Data, Recipe, Stage, load_recipe
from deblur_cli.training.sources import load_pictures, open_stream, patch_stream
from tests.data.layouts import numbered, textured, write_gopro, write_picture


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
        pytest.raises(UsageError, match=r"1 of 1 pairs .*blur/a\.png: .* side of 300 pixels"),
        open_stream(large, tmp_path, seed=0, workers=2),
    ):
        pass


@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_photos_and_pairs_are_named_and_counted_before_the_first_step(
    recipe: Recipe, tmp_path: Path, workers: int
) -> None:
    for folder in ("sharp", "pairs/blur", "pairs/sharp"):
        (tmp_path / folder / "b.png").write_bytes(b"damaged")
    notes: list[str] = []
    with open_stream(recipe, tmp_path, 0, workers, notes.append) as stream:
        assert stream.batch(0.5)[0].shape == (3, 32, 32, 3)
    photos, pairs = notes
    assert photos.startswith(f"1 of 2 photos cannot be used: b.png; {tmp_path / 'sharp/b.png'}")
    assert pairs.startswith(f"1 of 2 pairs cannot be used: b; {tmp_path / 'pairs/blur/b.png'}")
    (tmp_path / "sharp/a.png").write_bytes(b"damaged")
    with (
        pytest.raises(UsageError, match="2 of 2 photos cannot be used"),
        open_stream(recipe, tmp_path, 0, workers, notes.append),
    ):
        pass


def test_the_share_of_linear_light_goes_to_every_synthetic_blur(
    recipe: Recipe, tmp_path: Path
) -> None:
    shares = {}
    for wish in (None, 0.25):
        data = replace(recipe.data, linear_share=wish, shares={"motion": 1, "defocus": 1})
        drawn = replace(recipe, data=data)
        stream = patch_stream(drawn, load_pictures(drawn, tmp_path, 0), 10**6, seed=0)
        blurs = [source.source.blur for _, source in stream.sources]
        shares[wish] = [blur.camera.linear_share for blur in blurs]
    assert shares == {None: [0.5, 1.0], 0.25: [0.25, 0.25]}


@pytest.fixture
def gopro(tmp_path: Path) -> Recipe:
    """ALGNet's recipe with small patches, on three pairs in GoPro's layout."""
    write_gopro(tmp_path, "train", textured(3, 40, 56))
    return load_recipe("algnet-gopro", ["optimiser.patch=32", "optimiser.batch=4"])


def told(recipe: Recipe, root: Path, workers: int = 0, batches: int = 1) -> tuple[list[str], ...]:
    """What is said about the data before the first batch, and faults after some."""
    notes: list[str] = []
    with open_stream(recipe, root, 0, workers, notes.append) as stream:
        for _ in range(batches):
            blurred, sharp = stream.batch(0.5)
            assert blurred.shape == sharp.shape == (4, 32, 32, 3)
        return notes, stream.faults


def blurred_photos(root: Path) -> list[Path]:
    return sorted(root.glob("GOPRO_Large/train/*/blur/*.png"))


def test_patches_come_from_a_published_set_by_its_name(gopro: Recipe, tmp_path: Path) -> None:
    notes, faults = told(gopro, tmp_path)
    assert len(notes) == 1
    assert "3 pairs here, 2,103 were published" in notes[0]
    assert faults == []


def test_pairs_of_no_use_are_counted_and_named_before_the_first_step(
    gopro: Recipe, tmp_path: Path
) -> None:
    blurred_photos(tmp_path)[1].write_bytes(b"damaged")
    notes, faults = told(gopro, tmp_path, batches=5)
    assert "1 of 3 pairs cannot be used: GOPR0000_11_00/000001" in notes[1]
    assert faults == []
    for path in blurred_photos(tmp_path):
        write_picture(path, numbered(1, 40, 20)[0][0])
    with pytest.raises(UsageError, match="3 of 3 pairs cannot be used"):
        told(gopro, tmp_path)


@pytest.mark.parametrize("workers", [0, 1])
def test_damage_that_only_decoding_finds_is_skipped_and_named(
    gopro: Recipe, tmp_path: Path, workers: int
) -> None:
    path = blurred_photos(tmp_path)[1]
    path.write_bytes(path.read_bytes()[:-400])
    notes, faults = told(gopro, tmp_path, workers, batches=5)
    assert len(notes) == 1
    assert len(faults) == 1
    assert str(path) in faults[0]


def test_a_set_that_is_missing_or_has_unpaired_photos_is_refused(
    gopro: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="the train split of gopro is not there"):
        told(gopro, tmp_path / "elsewhere")
    blurred_photos(tmp_path)[0].unlink()
    with pytest.raises(UsageError, match="1 photos without partner: GOPR0000_11_00/000000"):
        told(gopro, tmp_path)


def test_a_decoded_crop_gives_patches_from_different_places(tmp_path: Path) -> None:
    write_gopro(tmp_path, "train", textured(1, 96, 96))
    recipe = load_recipe("algnet-gopro", ["optimiser.patch=24", "optimiser.batch=16"])
    pictures = load_pictures(recipe, tmp_path, 0, lambda text: None)
    stream = patch_stream(recipe, pictures, 10**6, seed=0)
    stream.augment = unchanged
    patches = {patch.tobytes() for patch in stream.batch(0.0)[0]}
    ((_, pool),) = stream.sources
    assert len(pool._slots) < 16
    assert len(patches) == 16


def test_stages_change_the_patches_on_the_way(gopro: Recipe, tmp_path: Path) -> None:
    staged = replace(gopro, stages=(Stage(0.5, patch=40, batch=2),))
    with open_stream(staged, tmp_path, 0, 0, lambda text: None) as stream:
        shapes = [stream.batch(progress)[0].shape for progress in (0.0, 0.4, 0.5)]
    assert shapes == [(4, 32, 32, 3), (4, 32, 32, 3), (2, 40, 40, 3)]


def test_flips_leave_every_row_a_row(gopro: Recipe, tmp_path: Path) -> None:
    for path in tmp_path.glob("GOPRO_Large/train/*/*/*.png"):
        rows = np.arange(40, dtype=np.uint8)[:, None, None]
        write_picture(path, np.broadcast_to(rows, (40, 56, 3)).copy())
    with open_stream(gopro, tmp_path, 0, 0, lambda text: None) as stream:
        patches = np.concatenate([stream.batch(0.0)[0] for _ in range(4)])
    assert (patches == patches[:, :, :1, :1]).all()
    turned = replace(gopro, data=replace(gopro.data, augmentation="flips-rotations"))
    with open_stream(turned, tmp_path, 0, 0, lambda text: None) as stream:
        patches = np.concatenate([stream.batch(0.0)[0] for _ in range(4)])
    assert not (patches == patches[:, :, :1, :1]).all()


def test_fcns_paper_shrinks_whole_pairs(gopro: Recipe, tmp_path: Path) -> None:
    resized = replace(gopro, data=replace(gopro.data, fit="resize"))
    sharp = textured(3, 40, 56)
    expected = {
        cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA)[::down, ::across].tobytes()
        for _, picture in sharp
        for down in (1, -1)
        for across in (1, -1)
    }
    with open_stream(resized, tmp_path, 0, 0, lambda text: None) as stream:
        patches = np.concatenate([stream.batch(0.0)[1] for _ in range(4)])
    assert {patch.tobytes() for patch in patches} <= expected
