"""FID (Heusel et al. 2017) and KID (Binkowski et al. 2018): how alike two sets of pictures are.

Both compare what the Inception network of 2015 says of each picture, by the protocol of clean-fid
(Parmar et al. 2022): whole picture, resized to 299x299 by Pillow's bicubic filter in floating
point, no rounding; the same file of the network. The arithmetic is our own: FID by singular values,
which are exact where clean-fid's matrix root is not (fewer pictures than features); KID over all
pairs, which is what clean-fid's random subsets estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from deblur_cli.errors import IncomparableError, WeightsError
from deblur_cli.metrics.error import Array, check_colour, peak
from deblur_cli.metrics.fetching import NetworkFile, Tell, network_file

if TYPE_CHECKING:
    from torch import Tensor

Floats: TypeAlias = npt.NDArray[np.float64]

Features: TypeAlias = Callable[[Array], Floats]
"""Of one (H, W, 3) RGB picture: (2048,); raises `IncomparableError` for others."""

INCEPTION = NetworkFile(
    "inception-2015-12-05.pt",
    "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/"
    "inception-2015-12-05.pt",
    "Inception (for FID and KID; TorchScript, a program that torch runs)",
    "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
)
_SIDE = 299


def load_inception(
    weights: Path | None = None, *, device: str = "cpu", offline: bool, tell: Tell
) -> Features:
    """The features that `fid` and `kid` compare.

    Args:
        weights: the network as NVIDIA publishes it for torch [fetched once]; TorchScript, which is
            run: take it from those you trust.
        device: of torch.
        offline: open no connection.
        tell: is told what is fetched, before it is.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    import torch

    path = weights or network_file(INCEPTION, offline=offline, tell=tell)
    try:
        network = torch.jit.load(str(path), map_location=device)  # type: ignore[no-untyped-call]
        layers = network.eval().layers
    except (OSError, RuntimeError, ValueError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"this is not that Inception network: {reason}", path=path) from error

    def features(picture: Array) -> Floats:
        check_colour(picture)
        planes = torch.from_numpy(_resized(picture)).to(device)
        with torch.inference_mode():
            seen: Tensor = layers(((planes - 128) / 128)[None])
        return seen.flatten().double().cpu().numpy()

    return features


def fid(restored: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Frechet distance between Gaussians of these means and covariances; 0 for equal ones.

    The trace of the root of the covariances' product is the sum of the singular values of the one
    set's centred features times the other's.

    Args:
        restored: (pictures, features).
        truth: as many features, of any number of pictures.

    Raises:
        IncomparableError: a set has fewer than two pictures.
    """
    sets = _sets(restored, truth)
    a, b = (_centred(features) for features in sets)
    apart = sets[0].mean(axis=0) - sets[1].mean(axis=0)
    common = np.linalg.norm(a @ b.T, "nuc")
    return float(apart @ apart + np.vdot(a, a) + np.vdot(b, b) - 2 * common)


def kid(restored: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Unbiased squared maximum mean discrepancy under a cubic kernel; near 0 for like sets.

    Args:
        restored: (pictures, features).
        truth: as many features, of any number of pictures.

    Raises:
        IncomparableError: a set has fewer than two pictures.
    """
    sets = _sets(restored, truth)
    within = sum(_mean_of_pairs(_kernel(features, features)) for features in sets)
    return float(within - 2 * _kernel(*sets).mean())


def _resized(picture: Array) -> npt.NDArray[np.float32]:
    """(3, 299, 299) in [0, 255]."""
    levels = np.multiply(picture, 255 / peak(picture), dtype=np.float32)
    planes = [
        np.asarray(
            Image.fromarray(levels[..., channel]).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        )
        for channel in range(3)
    ]
    return np.stack(planes).clip(0, 255)


def _centred(features: Floats) -> Floats:
    """Rows whose products sum to the covariance."""
    centred: Floats = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    return centred


def _kernel(a: Floats, b: Floats) -> Floats:
    kernel: Floats = (a @ b.T / a.shape[1] + 1) ** 3
    return kernel


def _mean_of_pairs(kernel: Floats) -> float:
    """Over pairs of two different pictures."""
    pictures = len(kernel)
    return float(kernel.sum() - np.trace(kernel)) / (pictures * (pictures - 1))


def _sets(restored: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Floats, Floats]:
    a, b = (np.asarray(features, np.float64) for features in (restored, truth))
    if min(len(a), len(b)) < 2:
        raise IncomparableError("FID and KID need sets of two pictures or more")
    return a, b
