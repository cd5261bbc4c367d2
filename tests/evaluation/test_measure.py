from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from deblur_cli.evaluation.measure import measure
from tests.pipeline.fakes import FakeDeblurrer, save_picture


def test_pairs_and_sharp_photos_are_measured_under_short_names(tmp_path: Path) -> None:
    deblurrer: Any = FakeDeblurrer()
    for name, sharp in (("1", 150), ("2", 155)):
        save_picture(tmp_path / f"set/val/blur/{name}.png", value=100, size=(16, 16))
        save_picture(tmp_path / f"set/val/sharp/{name}.png", value=sharp, size=(16, 16))
    measured = measure(tmp_path / "set" / "val", deblurrer)
    assert (measured.dataset, measured.method) == ("set/val", "inverter on cpu")
    assert measured.pictures["1"]["psnr_before"] == pytest.approx(20 * math.log10(255 / 50))
    assert measured.pictures["1"]["psnr_after"] == pytest.approx(20 * math.log10(255 / 5))
    assert measured.pictures["2"]["psnr_after"] == math.inf
    kept = measure(tmp_path / "set" / "val" / "blur", deblurrer)
    assert kept.mean == {"psnr_to_input": pytest.approx(20 * math.log10(255 / 55))}
