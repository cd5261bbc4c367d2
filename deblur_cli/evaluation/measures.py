"""What is measured of one picture, by name; costly metrics are imported when they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from deblur_cli.imaging.photo import Image
from deblur_cli.metrics import (
    mae,
    psnr,
    psnr_colour_fit,
    ssim,
    ssim_both,
    ssim_matlab3d,
    ssim_uniform,
)
from deblur_cli.metrics.realblur import align, realblur_psnr, realblur_ssim

Figures: TypeAlias = Mapping[str, float]


@dataclass(frozen=True)
class Shot:
    """One picture of a set: as it was, as it was restored, and as it should be.

    All are ``(H, W, 3)`` RGB, uint8 or float32 in [0,1], of one dtype.
    """

    blurred: Image
    restored: Image
    truth: Image
    """The blurred picture itself in a set without truth."""


@dataclass(frozen=True)
class Reading:
    """What was measured of one picture."""

    figures: Figures
    features: npt.NDArray[np.float32] | None = None
    """As `Score.features`."""


@dataclass(frozen=True)
class Kit:
    """What metrics with models of their own work with."""

    device: str = "auto"
    """As `--device`."""
    offline: bool = False
    """Open no connection."""
    tell: Callable[[str], None] = print
    """Is told what is fetched, before it is."""
    weights: Mapping[str, Path] = field(default_factory=dict)
    """Files of such models by the names in `MODELS`; others are bundled or fetched once."""

    def models(self, measures: Sequence[str]) -> list[str]:
        """Which models stand behind these measures, where more than one may; for tables.

        Raises:
            WeightsError, MissingExtraError: as `load_niqe_model`.
        """
        from deblur_cli.metrics.niqe import load_niqe_model

        found = [
            f"{MODELS[model]} by {file.name}"
            for model, file in self.weights.items()
            if MODELS[model] in measures and model != "niqe"
        ]
        if "niqe" in measures:
            given = self.weights.get("niqe")
            model = f"the package's own model, {load_niqe_model().source}, which is not MATLAB's"
            found.append(f"NIQE by {model if given is None else load_niqe_model(given).source}")
        return found

    @property
    def torch_device(self) -> str:
        """What `device` stands for here; raises `DeviceError`."""
        from deblur_cli.inference.device import resolve_device

        return str(resolve_device(self.device))


MODELS = {"lpips": "lpips", "st-lpips": "st_lpips", "inception": "fid-kid", "niqe": "niqe"}
"""Of metrics: what may be given as a file, and the measure that works with it."""

Measure: TypeAlias = Callable[[Shot], Figures]


def _of_pair(name: str, metric: Callable[[Image, Image], float]) -> Measure:
    return lambda shot: {name: metric(shot.restored, shot.truth)}


def _lpips(kit: Kit) -> Measure:
    from deblur_cli.metrics.perceptual import load_lpips

    distance = load_lpips(
        kit.weights.get("lpips"), device=kit.torch_device, offline=kit.offline, tell=kit.tell
    )
    return _of_pair("lpips", distance)


def _st_lpips(kit: Kit) -> Measure:
    from deblur_cli.metrics.perceptual import load_st_lpips

    return _of_pair("st_lpips", load_st_lpips(kit.weights.get("st-lpips"), device=kit.torch_device))


def _niqe(kit: Kit) -> Measure:
    from deblur_cli.metrics.niqe import load_niqe_model, niqe

    given = kit.weights.get("niqe")
    name, model = ("niqe", None) if given is None else ("niqe_given", load_niqe_model(given))
    return lambda shot: {name: niqe(shot.restored, model)}


def _before_and_after(shot: Shot) -> Figures:
    before, after = psnr(shot.blurred, shot.truth), psnr(shot.restored, shot.truth)
    return {"psnr_before": before, "psnr_after": after, "psnr_gain": _gain(before, after)}


def _fit_before_and_after(shot: Shot) -> Figures:
    before, after = (psnr_colour_fit(image, shot.truth) for image in (shot.blurred, shot.restored))
    return {"fit_before": before, "fit_after": after, "fit_gain": _gain(before, after)}


def _gain(before: float, after: float) -> float:
    """None where both are infinite, as of pictures that equal their truth."""
    return 0.0 if before == after else after - before


def _ssim_before_and_after(shot: Shot) -> Figures:
    before, after = ssim(shot.blurred, shot.truth), ssim(shot.restored, shot.truth)
    return {"ssim_before": before, "ssim_after": after}


def _to_input(shot: Shot) -> Figures:
    return {"psnr_to_input": psnr(shot.restored, shot.blurred)}


def _both_ssims(shot: Shot) -> Figures:
    flat, volume = ssim_both(shot.restored, shot.truth)
    return {"ssim_matlab3d": volume, "ssim": flat}


def _realblur(shot: Shot) -> Figures:
    aligned = align(shot.restored, shot.truth)
    return {
        "psnr_aligned": realblur_psnr(aligned, shot.truth),
        "ssim_aligned": realblur_ssim(aligned, shot.truth),
        "aligned": float(aligned.converged),
    }


_PLAIN: Mapping[str, Measure] = {
    "psnr": _of_pair("psnr", psnr),
    "ssim": _of_pair("ssim", ssim),
    "ssim_matlab3d": _of_pair("ssim_matlab3d", ssim_matlab3d),
    "ssim_uniform": _of_pair("ssim_uniform", ssim_uniform),
    "ssims": _both_ssims,
    "mae": _of_pair("mae", mae),
    "realblur": _realblur,
    "before-after": _before_and_after,
    "fit-before-after": _fit_before_and_after,
    "ssim-before-after": _ssim_before_and_after,
    "to-input": _to_input,
}
_BY_MODELS: Mapping[str, Callable[[Kit], Measure]] = {
    "lpips": _lpips,
    "st_lpips": _st_lpips,
    "niqe": _niqe,
}
OF_SETS = "fid-kid"
"""The measure of all pictures together."""

WITHOUT_TRUTH = frozenset({"niqe", "to-input"})
"""Those that need no truth."""

MEASURES = (*_PLAIN, *_BY_MODELS, OF_SETS)
"""Names that `--metrics` takes."""


def instrument(names: Sequence[str], kit: Kit) -> Callable[[Shot], Reading]:
    """What takes all these measures of a picture.

    Args:
        names: in `MEASURES`.
        kit: for metrics with models of their own, which are loaded here.

    Raises:
        MissingExtraError: a metric needs an extra that is not installed.
        WeightsError: a metric's model cannot be had.
    """
    measures = [
        _PLAIN[name] if name in _PLAIN else _BY_MODELS[name](kit)
        for name in names
        if name != OF_SETS
    ]
    features = _inception(kit) if OF_SETS in names else None

    def read(shot: Shot) -> Reading:
        figures = {name: value for measure in measures for name, value in measure(shot).items()}
        return Reading(figures, None if features is None else features(shot))

    return read


def _inception(kit: Kit) -> Callable[[Shot], npt.NDArray[np.float32]]:
    from deblur_cli.metrics.distribution import load_inception

    see = load_inception(
        kit.weights.get("inception"), device=kit.torch_device, offline=kit.offline, tell=kit.tell
    )
    return lambda shot: np.stack([see(shot.restored), see(shot.truth)]).astype(np.float32)
