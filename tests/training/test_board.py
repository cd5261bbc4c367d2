"""What is written for TensorBoard, and what is said without it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from deblur_cli.errors import MissingExtraError
from deblur_cli.training.board import Board
from deblur_cli.training.events import Example, Report, Saved, Start, Validation


def test_without_tensorboard_the_option_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(MissingExtraError, match=r"--tensorboard .*deblur-cli\[train\]"):
        Board(tmp_path)


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="needs tensorboard, absent here")
def test_scalars_and_pictures_can_be_read_back(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    pictures = [np.full((5, 7, 3), level, np.uint8) for level in (10, 20, 30)]
    board = Board(tmp_path)
    for event in (
        Start("cpu", 1, "float32", 0, 1000, 0, 0.0, 0.0, 60.0, None, 2),
        Report(4, 1.5, 0.1, 1e-3, 0.25, 0.5, 7.5, 2),
        Validation(4, 1.5, 22.5, 1.5, True, [Example(*pictures)]),
        Saved(4),
    ):
        board(event)
    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert [(s.step, s.value) for s in read.Scalars("training/loss")] == [(4, 0.25)]
    assert [(s.step, s.value) for s in read.Scalars("validation/psnr")] == [(4, 22.5)]
    (image,) = read.Images("blurred, restored, sharp/0")
    assert (image.step, image.width, image.height) == (4, 21, 5)
