"""Half precision as on a GPU costs next to nothing on real pairs, with the bundled weights."""

from __future__ import annotations

import numpy as np
import pytest

from deblur_cli.data.photos import read_rgb
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.metrics import psnr
from deblur_cli.models import layers
from tests.shared import shared_file

LARGEST_LOSS = 0.02
"""dB, as a mean over images."""

SIDE = 256
PAIRS = {"motion": ("motion-gopro", ("00",)), "defocus": ("defocus-dpdd1024", ("1P0A1591",))}


def central(task: str, kind: str, name: str) -> np.ndarray:
    picture = read_rgb(shared_file("pairs", PAIRS[task][0], "val", kind, f"{name}.png"))
    top, left = ((side - SIDE) // 2 for side in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + SIDE, left : left + SIDE])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("task", PAIRS)
def test_the_loss_against_float32_is_small(
    task: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "_takes_float32_weights", lambda x: False)
    exact, rounded = (
        Deblurrer.from_pretrained(task, device="cpu", dtype=each, tile=0, offline=True)
        for each in ("float32", dtype)
    )
    losses = []
    for name in PAIRS[task][1]:
        blurred, truth = (central(task, kind, name) for kind in ("blur", "sharp"))
        restored = rounded.restore(blurred)
        assert (restored.redone, restored.kept) == (0, 0)
        expected = exact(blurred)
        assert not np.array_equal(restored.image, expected)
        losses.append(psnr(expected, truth) - psnr(restored.image, truth))
    assert np.mean(losses) < LARGEST_LOSS
