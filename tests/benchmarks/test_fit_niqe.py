from __future__ import annotations

import sys

import cv2
import pytest
from skimage import data as photographs

from benchmarks import fit_niqe
from deblur_cli.metrics.niqe import load_niqe_model, niqe

PHOTO = photographs.astronaut()


def test_a_model_is_fitted_and_tried(tmp_path, monkeypatch, capsys):
    photos, output = tmp_path / "photos", tmp_path / "model.npz"
    photos.mkdir()
    for number, photo in enumerate((PHOTO, photographs.coffee())):
        cv2.imwrite(str(photos / f"{number}.png"), photo[..., ::-1])
    command = ["fit_niqe", str(photos), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", command)
    assert fit_niqe.main() == 0
    model = load_niqe_model(output)
    assert model.source == "fitted on 2 sharp photographs"
    told = capsys.readouterr().out
    assert model.source in told
    assert f"blurred by 0 px: NIQE {niqe(PHOTO, model):.3f} (mean of 1)" in told


@pytest.mark.parametrize("sigma", fit_niqe.SIGMAS[1:])
def test_packaged_model_prefers_the_sharp(sigma):
    assert niqe(PHOTO) < niqe(cv2.GaussianBlur(PHOTO, (0, 0), sigma))
