"""NIQE (Mittal, Soundararajan, Bovik 2013): how far a picture is from natural ones, by itself.

The distance depends on which photographs stand for the natural ones. The model that comes with the
package was fitted on our own choice of them: its figures order pictures as others do, and are not
those of MATLAB's model, which papers state.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from deblur_cli.errors import IncomparableError, MissingExtraError, WeightsError
from deblur_cli.metrics.error import Array
from deblur_cli.metrics.naturalness import block_features

Floats: TypeAlias = npt.NDArray[np.float64]

OUR_MODEL = Path(__file__).with_name("niqe.npz")
_FEATURES = 36
_ARRAYS = (("mu_pris_param", "cov_pris_param"), ("mu_prisparam", "cov_prisparam"))
"""What mean and covariance are called: in .npz files, and in that of the authors."""
_SHARPEST = 0.75
"""Only blocks sharper than this part of a photograph's sharpest one are part of a model."""


class NiqeModel(NamedTuple):
    """The Gaussian that the features of natural photographs follow."""

    mean: Floats
    """(36,)"""

    covariance: Floats
    """(36, 36)"""

    source: str
    """What it was fitted on, to be stated beside every figure."""


def niqe(picture: Array, model: NiqeModel | None = None) -> float:
    """Distance of a picture from natural ones (eq. 10); lower is better, about 2 to 20.

    Args:
        picture: (H, W) or (H, W, 3) RGB; what is beyond whole blocks of 96x96 is cut off.
        model: of natural photographs [the one in the package].

    Raises:
        IncomparableError: the picture has fewer than two blocks, or than two with texture.
    """
    natural = model or load_niqe_model()
    features = block_features(picture).features
    if np.count_nonzero(~np.isnan(features).any(axis=1)) < 2:
        raise IncomparableError("NIQE needs texture, and the picture is flat almost everywhere")
    distance = natural.mean - np.nanmean(features, axis=0)
    covariance = (natural.covariance + _covariance(features)) / 2
    return float(np.sqrt(distance @ np.linalg.pinv(covariance) @ distance))


def fit_niqe_model(photographs: Iterable[Array], source: str) -> NiqeModel:
    """The model of these photographs: of the features of their sharp blocks.

    Raises:
        IncomparableError: one has fewer than two blocks of 96x96 pixels.
    """
    kept = []
    for photograph in photographs:
        blocks = block_features(photograph)
        kept.append(blocks.features[blocks.sharpness > _SHARPEST * blocks.sharpness.max()])
    features = np.concatenate(kept)
    return NiqeModel(np.nanmean(features, axis=0), _covariance(features), source)


def save_niqe_model(model: NiqeModel, path: Path) -> None:
    """Write a model, under the names of arrays that other programs use too."""
    np.savez_compressed(
        path, mu_pris_param=model.mean, cov_pris_param=model.covariance, source=model.source
    )


@functools.cache
def load_niqe_model(path: Path = OUR_MODEL) -> NiqeModel:
    """Read a model: ours, another program's .npz, or the authors' `modelparameters.mat`.

    Raises:
        WeightsError: it is no such file.
        MissingExtraError: it is MATLAB's, and scipy is not installed.
    """
    try:
        arrays = _of_matlab(path) if path.suffix == ".mat" else _of_numpy(path)
        names = next(names for names in _ARRAYS if arrays.keys() >= set(names))
        mean, covariance = (np.asarray(arrays[name], np.float64) for name in names)
        source = str(arrays.get("source", f"the model in {path.name}"))
        return NiqeModel(mean.reshape(_FEATURES), covariance.reshape(_FEATURES, _FEATURES), source)
    except MissingExtraError:
        raise
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror or error}", path=path) from error
    except Exception as error:  # damaged files raise whatever their readers stumble on
        raise WeightsError(
            "this is no model for NIQE",
            path=path,
            remedy="one is an .npz file with mu_pris_param (36) and cov_pris_param (36x36), or "
            "modelparameters.mat of NIQE's authors",
        ) from error


def _of_numpy(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    with np.load(path) as arrays:
        return dict(arrays)


def _of_matlab(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise MissingExtraError("a model in MATLAB's format", "eval") from error
    arrays: dict[str, npt.NDArray[np.float64]] = loadmat(path, appendmat=False)
    return arrays


def _covariance(features: Floats) -> Floats:
    """Of the blocks that have every feature."""
    whole = features[~np.isnan(features).any(axis=1)]
    return np.cov(whole, rowvar=False)
