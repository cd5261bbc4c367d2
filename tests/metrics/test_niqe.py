from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
from scipy.io import savemat
from skimage import data as photographs

from deblur_cli.errors import IncomparableError, MissingExtraError, WeightsError
from deblur_cli.metrics.naturalness import block_features
from deblur_cli.metrics.niqe import (
    OUR_MODEL,
    NiqeModel,
    fit_niqe_model,
    load_niqe_model,
    niqe,
    save_niqe_model,
)

PHOTO = photographs.astronaut()
COFFEE = photographs.coffee()


def test_distance_is_that_of_the_paper():
    features = block_features(PHOTO).features
    model = NiqeModel(features.mean(axis=0) + 1, np.cov(features, rowvar=False), "shifted")
    away = np.ones(36)
    expected = np.sqrt(away @ np.linalg.pinv(np.cov(features.T)) @ away)
    assert niqe(PHOTO, model) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("photo", [PHOTO, COFFEE], ids=["astronaut", "coffee"])
def test_blur_and_noise_are_less_natural(photo):
    noise = np.random.default_rng(0).normal(0, 25, photo.shape)
    noisy = np.clip(photo + noise, 0, 255).astype(np.uint8)
    blurred = [niqe(cv2.GaussianBlur(photo, (0, 0), sigma)) for sigma in (1, 2, 4)]
    assert niqe(photo) < blurred[0] < blurred[1] < blurred[2]
    assert niqe(photo) < niqe(noisy)


def test_flat_parts_are_left_out():
    barred = np.concatenate([PHOTO, np.zeros_like(PHOTO[:192])])
    assert np.isfinite(niqe(barred))


def test_flat_pictures_are_refused():
    with pytest.raises(IncomparableError, match="NIQE needs texture"):
        niqe(np.full_like(PHOTO, 128))


def test_model_is_made_of_sharp_blocks_only():
    sharp, blurred = PHOTO[:192, :192], cv2.GaussianBlur(PHOTO[:192, 192:384], (0, 0), 8)
    alone = block_features(sharp)
    kept = alone.features[alone.sharpness > 0.75 * alone.sharpness.max()]
    assert 1 < len(kept) < len(alone.features)
    model = fit_niqe_model([np.concatenate([sharp, blurred], axis=1)], "one")
    assert model.source == "one"
    together = block_features(np.concatenate([sharp, blurred], axis=1))
    expected = together.features[together.sharpness > 0.75 * together.sharpness.max()]
    np.testing.assert_allclose(model.mean, expected.mean(axis=0))
    np.testing.assert_allclose(model.covariance, np.cov(expected.T))
    assert len(expected) < len(together.features)


def test_models_survive_a_file(tmp_path):
    model = fit_niqe_model([PHOTO, COFFEE], "two photographs")
    save_niqe_model(model, tmp_path / "model.npz")
    read = load_niqe_model(tmp_path / "model.npz")
    assert read.source == "two photographs"
    assert niqe(PHOTO, read) == niqe(PHOTO, model)


def test_models_of_other_programs_are_read(tmp_path):
    model = load_niqe_model()
    path = tmp_path / "pristine.npz"
    np.savez(path, mu_pris_param=model.mean[None], cov_pris_param=model.covariance)
    read = load_niqe_model(path)
    assert read.source == "the model in pristine.npz"
    assert niqe(COFFEE, read) == niqe(COFFEE)


def test_the_file_of_the_authors_is_read(tmp_path):
    model = load_niqe_model()
    path = tmp_path / "modelparameters.mat"
    savemat(path, {"mu_prisparam": model.mean[None], "cov_prisparam": model.covariance})
    read = load_niqe_model(path)
    assert read.source == "the model in modelparameters.mat"
    assert niqe(COFFEE, read) == niqe(COFFEE)


def test_the_file_of_the_authors_needs_scipy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(MissingExtraError, match="extra 'eval'"):
        load_niqe_model(tmp_path / "modelparameters.mat")


@pytest.mark.parametrize(
    "arrays",
    [
        {"mu_pris_param": np.zeros(36)},
        {"mu_pris_param": np.zeros(5), "cov_pris_param": np.eye(5)},
    ],
    ids=["one array", "size"],
)
def test_other_arrays_are_no_model(tmp_path, arrays):
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(WeightsError, match="no model for NIQE"):
        load_niqe_model(tmp_path / "other.npz")


@pytest.mark.parametrize("name", ["other.npz", "other.mat", "cut.npz", "single.npy"])
def test_other_files_are_no_model(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"nothing")
    if name == "single.npy":
        np.save(path, np.eye(36))
    elif name == "cut.npz":
        path.write_bytes(OUR_MODEL.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="no model for NIQE"):
        load_niqe_model(path)


def test_missing_model_is_reported(tmp_path):
    with pytest.raises(WeightsError, match=r"absent\.npz"):
        load_niqe_model(tmp_path / "absent.npz")


def test_packaged_model_says_what_it_was_fitted_on():
    assert OUR_MODEL.stat().st_size < 100_000
    assert "fitted on" in load_niqe_model().source
    assert np.linalg.eigvalsh(load_niqe_model().covariance).min() > 0
