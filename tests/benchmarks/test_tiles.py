"""The seam contrast: 1 where nothing shows, more where a tile's border does."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.tiles import Seams, compare
from deblur_cli.data.camera import Picture
from deblur_cli.inference.engine import Deblurrer, Restoration
from tests.inference.fakes import FakeModel

PHOTO = np.random.default_rng(0).integers(60, 160, (200, 300, 3), np.uint8)
FADE_ENDS = 176
"""Two tiles of 176 columns cover 300 and share 52; the first fades out over its last 32."""


class WithSeam(Deblurrer):
    """The identity, brighter from the column `seam` on."""

    def __init__(self, seam: int) -> None:
        super().__init__(FakeModel(lambda x: x, 16), device="cpu", dtype="float32", tile=208)
        self._seam = seam

    def restore(self, image: Picture, strength: float = 1.0) -> Restoration:
        result = super().restore(image, strength)
        result.image[:, self._seam :] += 80
        return result


def seams(tiled: Deblurrer) -> Seams:
    whole = Deblurrer(FakeModel(lambda x: x, 16), device="cpu", dtype="float32", tile=0)
    return compare([PHOTO], whole, tiled, 16)


def test_no_seam_has_contrast_one() -> None:
    found = seams(WithSeam(seam=300))
    assert found.contrast == pytest.approx(1)
    assert found.psnr == np.inf


@pytest.mark.parametrize("seam", [FADE_ENDS - 32, FADE_ENDS])
def test_a_step_where_a_fade_begins_or_ends_is_found(seam: int) -> None:
    assert seams(WithSeam(seam)).contrast > 1.2


def test_a_step_elsewhere_is_no_seam() -> None:
    assert seams(WithSeam(seam=50)).contrast < 1
