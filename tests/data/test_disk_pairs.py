from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from deblur_cli.data.crops import Augment, flips, flips_and_rotations
from deblur_cli.data.datasets import open_dataset
from deblur_cli.data.disk_pairs import DiskPairs, kept_decoded
from deblur_cli.data.pairs import Pair
from deblur_cli.data.patches import PatchStream
from deblur_cli.errors import DeblurError, UsageError
from tests.data.layouts import numbered, textured, write_flat, write_picture


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Pair, ...]:
    """Eight pairs of 40x56 pixels, whose truth is its blurred picture plus 100."""
    sharp = np.random.default_rng(0).integers(100, 256, (8, 40, 56, 3), np.uint8)
    write_flat(tmp_path, "train", [(picture - 100, picture) for picture in sharp])
    return open_dataset(".", tmp_path, "train").pairs


def stream(pairs: tuple[Pair, ...], seed: int = 3, memory: int = 100_000) -> PatchStream:
    source = DiskPairs(pairs, patch=16, side=32)
    return PatchStream([(1.0, kept_decoded(source, seed, memory))], 16, 4, seed)


@pytest.mark.parametrize("augment", [flips, flips_and_rotations])
def test_crops_of_both_pictures_come_from_one_place(
    pairs: tuple[Pair, ...], augment: Augment
) -> None:
    source = DiskPairs(pairs, patch=16, side=24, augment=augment)
    drawn = [source(np.random.default_rng(seed)) for seed in range(40)]
    for blurred, sharp in drawn:
        assert blurred.shape == sharp.shape == (24, 24, 3)
        assert np.array_equal(blurred + 100, sharp)
        assert blurred.base is None
    assert len({blurred.tobytes() for blurred, _ in drawn}) > 35


def test_crops_are_smaller_where_a_picture_is(pairs: tuple[Pair, ...]) -> None:
    blurred, sharp = DiskPairs(pairs, patch=16, side=64)(np.random.default_rng(0))
    assert blurred.shape == sharp.shape == (40, 40, 3)


def test_damaged_and_small_pairs_are_skipped_named_and_counted(
    tmp_path: Path, pairs: tuple[Pair, ...]
) -> None:
    pairs[2].blurred.write_bytes(b"damaged")
    for folder in ("input", "target"):
        write_picture(tmp_path / "train" / folder / "0005.png", numbered(1, 40, 12)[0][0])
    source = DiskPairs(pairs, patch=16, side=24)
    rng = np.random.default_rng(1)
    for _ in range(60):
        assert source(rng)[0].shape == (24, 24, 3)
    assert sorted(pair.name for pair in source.faults) == ["0002", "0005"]
    assert "shorter side of 12 pixels is too small" in source.faults[pairs[5]]


def test_faults_known_or_not_do_not_change_what_is_drawn(pairs: tuple[Pair, ...]) -> None:
    pairs[2].blurred.write_bytes(b"damaged")
    experienced = DiskPairs(pairs, patch=16, side=24)
    for seed in range(40):
        experienced(np.random.default_rng(seed))
    for seed in range(40):
        fresh = DiskPairs(pairs, patch=16, side=24)(np.random.default_rng(seed))
        again = experienced(np.random.default_rng(seed))
        assert np.array_equal(fresh, again)


def test_a_set_without_one_usable_pair_is_an_error(pairs: tuple[Pair, ...]) -> None:
    source = DiskPairs(pairs, patch=48, side=48)
    with pytest.raises(
        DeblurError, match=r"8 of 8 pairs cannot be used: .* and 3 more; .*side of 40 pixels"
    ):
        source(np.random.default_rng(0))


def test_nothing_to_train_on_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pair to train on"):
        DiskPairs([], patch=16, side=32)
    with pytest.raises(UsageError, match=r"a\.jpg: has no truth to train on"):
        DiskPairs([Pair("a", tmp_path / "a.jpg", None)], patch=16, side=32)


def test_the_pool_never_holds_more_than_its_memory(pairs: tuple[Pair, ...]) -> None:
    source = DiskPairs(pairs, patch=16, side=32)
    pool = kept_decoded(source, 0, memory=5 * source.crop_bytes + 1, reuse=2)
    rng = np.random.default_rng(0)
    for _ in range(60):
        pool(rng)
    held = [picture for _, pair in pool._slots.values() for picture in pair]
    assert sum(picture.nbytes for picture in held) == 5 * source.crop_bytes
    assert all(picture.base is None for picture in held)


def test_memory_for_no_crop_is_refused(pairs: tuple[Pair, ...]) -> None:
    with pytest.raises(UsageError, match="6,143 bytes hold no crop of 32x32"):
        kept_decoded(DiskPairs(pairs, patch=16, side=32), 0, memory=6143)


def test_patches_resume_exactly_with_a_damaged_pair_in_the_set(pairs: tuple[Pair, ...]) -> None:
    pairs[6].blurred.write_bytes(b"damaged")
    whole, resumed = stream(pairs), pickle.loads(pickle.dumps(stream(pairs)))
    batches = [whole.batch(step / 30) for step in range(30)]
    interrupted = stream(pairs)
    for step in range(20):
        interrupted.batch(step / 30)
    resumed.resume(interrupted.state())
    for step in range(20, 30):
        blurred, sharp = resumed.batch(step / 30)
        assert np.array_equal(blurred, batches[step][0])
        assert np.array_equal(sharp, batches[step][1])
        assert blurred.shape == (4, 16, 16, 3)


def test_a_decoded_crop_serves_several_draws(tmp_path: Path) -> None:
    write_flat(tmp_path, "train", textured(4))
    source = DiskPairs(open_dataset(".", tmp_path, "train").pairs, patch=16, side=32)
    pool = kept_decoded(source, 0, memory=40 * source.crop_bytes, reuse=8)
    rng = np.random.default_rng(0)
    crops = {pool(rng)[0].tobytes() for _ in range(800)}
    assert len(crops) == pytest.approx(800 / 8, rel=0.2)
