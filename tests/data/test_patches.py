from __future__ import annotations

import numpy as np
import pytest

from deblur_cli.data.crops import (
    Augment,
    PicturePair,
    flips,
    flips_and_rotations,
    unchanged,
)
from deblur_cli.data.motion import EASY_MOTION
from deblur_cli.data.patches import PatchStream
from deblur_cli.data.pool import RollingPool, Source
from deblur_cli.data.sources import RealPairs, SyntheticPairs


def constant(value: int) -> Source:
    def draw(rng: np.random.Generator) -> PicturePair:
        return np.full((40, 40, 3), value, np.uint8), np.full((40, 40, 3), value + 1, np.uint8)

    return draw


def mixed_stream(seed: int = 4, count: int = 4) -> PatchStream:
    photo = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    synthetic = SyntheticPairs([photo], EASY_MOTION, size=48, margin=8)
    real = RealPairs([(photo // 2, photo)], size=48)
    return PatchStream([(0.7, RollingPool(synthetic, 1, capacity=8)), (0.3, real)], 32, count, seed)


def test_a_batch_has_the_shape_and_dtype_promised() -> None:
    blurred, sharp = mixed_stream(count=5).batch(0.5)
    assert blurred.shape == sharp.shape == (5, 32, 32, 3)
    assert blurred.dtype == sharp.dtype == np.uint8
    assert blurred.flags.c_contiguous


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.6), (0.5, 0.375), (1.0, 0.15)])
def test_weights_follow_the_curriculum(progress: float, share: float) -> None:
    falling = (lambda progress: 0.6 - 0.45 * progress, constant(0))
    rising = (lambda progress: 0.4 + 0.45 * progress, constant(9))
    stream = PatchStream([falling, rising], 8, 2000, 0)
    assert stream.weights(progress) == pytest.approx([share, 1 - share])
    blurred, sharp = stream.batch(progress)
    assert np.mean(blurred[:, 0, 0, 0] == 0) == pytest.approx(share, abs=0.04)
    assert np.all(sharp == blurred + 1)


def test_weights_need_not_add_up_to_one() -> None:
    stream = PatchStream([(3.0, constant(0)), (1.0, constant(9))], 8, 1, 0)
    assert stream.weights(0.3) == pytest.approx([0.75, 0.25])


def test_equal_seeds_give_equal_batches_and_others_do_not() -> None:
    first, again, other = (mixed_stream(seed).batch(0.2)[0] for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_resumed_stream_goes_on_exactly() -> None:
    stream, resumed = mixed_stream(), mixed_stream()
    for step in range(30):
        stream.batch(step / 40)
    resumed.resume(stream.state())
    for step in range(30, 40):
        for one, other in zip(stream.batch(step / 40), resumed.batch(step / 40), strict=True):
            assert np.array_equal(one, other)


def test_patches_and_batches_may_change_their_size_on_the_way() -> None:
    stream = PatchStream(
        [(1.0, constant(3))],
        patch=lambda progress: 8 if progress < 0.5 else 12,
        count=lambda progress: 4 if progress < 0.5 else 2,
        seed=0,
    )
    shapes = [stream.batch(progress)[0].shape for progress in (0.0, 0.49, 0.5, 1.0)]
    assert shapes == [(4, 8, 8, 3), (4, 8, 8, 3), (2, 12, 12, 3), (2, 12, 12, 3)]


def test_patches_are_varied_as_asked_for() -> None:
    corner = np.zeros((8, 8, 3), np.uint8)
    corner[0, :2] = 255

    def draw(rng: np.random.Generator) -> PicturePair:
        return corner, corner

    def orientations(augment: Augment) -> int:
        blurred, _ = PatchStream([(1.0, draw)], 8, 60, 0, augment).batch(0.0)
        return len({patch.tobytes() for patch in blurred})

    ways = [orientations(way) for way in (unchanged, flips, flips_and_rotations)]
    assert ways == [1, 4, 8]
