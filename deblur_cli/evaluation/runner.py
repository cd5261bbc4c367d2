"""Restores each picture of a data set as `deblur run` does, and measures it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from deblur_cli.data.pairs import BLURRED_FOLDERS, find_pairs
from deblur_cli.data.photos import list_photos, read_rgb
from deblur_cli.errors import ImageWriteError, UsageError
from deblur_cli.evaluation.scores import Score
from deblur_cli.imaging.photo import Photo
from deblur_cli.imaging.png import PngEncoding
from deblur_cli.imaging.write import write_photo
from deblur_cli.metrics import psnr, psnr_colour_fit, ssim

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Deblurrer

Picture: TypeAlias = npt.NDArray[np.uint8]


def find_dataset(name: str) -> Path:
    """The folder of a data set; raises `UsageError` if there is none."""
    folder = Path(name)
    if not folder.is_dir():
        raise UsageError(
            f"'{name}' is no folder, and no data set is known by that name",
            remedy="name a folder with blur/ and sharp/ in it, or one of sharp photos",
        )
    return folder


def evaluate(
    folder: Path, deblurrer: Deblurrer, *, colour_fit: bool, save: Path | None = None
) -> Iterator[Score]:
    """Score every picture of a folder, in the order of their names.

    A folder with `blur` and `sharp` (or their synonyms) in it holds pairs: PSNR and SSIM against
    the truth, before and after. Any other folder holds sharp photos: the PSNR of the result
    against its input says how much harm is done. Results are uint8, as `deblur run` writes them.

    Args:
        folder: of pairs or of sharp photos.
        deblurrer: what restores.
        colour_fit: also give the PSNR after a gain and offset per channel, for pairs whose
            exposures differ.
        save: folder for the results, as PNG.

    Raises:
        UsageError: pairs without partner or of different sizes, or no photos.
        ImageReadError, ImageWriteError: a file is damaged, or `save` is not writable.
    """
    if any((folder / name).is_dir() for name in BLURRED_FOLDERS):
        for pair in find_pairs(folder):
            blurred, sharp = pair.read()
            restored = deblurrer(blurred)
            _save(save, pair.name, restored)
            yield Score(pair.name, _against_truth(blurred, restored, sharp, colour_fit))
    else:
        for path in list_photos(folder):
            sharp = read_rgb(path)
            restored = deblurrer(sharp)
            name = path.relative_to(folder).with_suffix("").as_posix()
            _save(save, name, restored)
            yield Score(name, {"psnr_to_input": psnr(restored, sharp)})


def _against_truth(
    blurred: Picture, restored: Picture, sharp: Picture, colour_fit: bool
) -> dict[str, float]:
    before, after = psnr(blurred, sharp), psnr(restored, sharp)
    figures = {"psnr_before": before, "psnr_after": after, "psnr_gain": after - before}
    if colour_fit:
        before, after = psnr_colour_fit(blurred, sharp), psnr_colour_fit(restored, sharp)
        figures |= {"fit_before": before, "fit_after": after, "fit_gain": after - before}
    return figures | {"ssim_before": ssim(blurred, sharp), "ssim_after": ssim(restored, sharp)}


def _save(folder: Path | None, name: str, picture: Picture) -> None:
    if folder is None:
        return
    path = folder / f"{name}.png"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageWriteError(
            f"the folder cannot be made: {error.strerror}", path=path.parent, remedy="--save"
        ) from error
    write_photo(path, Photo(picture, PngEncoding()))
