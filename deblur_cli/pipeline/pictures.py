"""One picture as it is read for a job: decoded, recast as its result shall be, and looked at."""

from __future__ import annotations

import time
from dataclasses import dataclass

from deblur_cli.errors import ImageWriteError
from deblur_cli.imaging.convert import DType, recast
from deblur_cli.imaging.photo import Photo
from deblur_cli.imaging.read import read_photo
from deblur_cli.imaging.rendition import Rendition, render
from deblur_cli.imaging.sharpness import sharpness
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.treatment import Treatment


@dataclass(frozen=True)
class Picture:
    """A picture that was read.

    Attributes:
        source_file: the version of the file.
        rendition: what is to be restored.
        dtype: what its result shall be written in.
        seconds: time that reading took.
        score: how sharp it is, if that is so sharp that it shall stay as it is.
    """

    source_file: Fingerprint
    rendition: Rendition
    dtype: DType
    seconds: float
    score: float | None = None


def read_picture(job: Job, treatment: Treatment, max_pixels: int | None) -> Picture:
    """Read a job's input.

    Raises:
        ImageReadError: as `read_photo`.
        ImageWriteError: the wanted format cannot hold the picture.
    """
    started = time.perf_counter()
    source_file = Fingerprint.of(job.source)
    photo, dtype = _recast(job, read_photo(job.source, max_pixels), treatment)
    rendition = render(photo)
    seconds = time.perf_counter() - started
    score = None if treatment.skip_sharp is None else sharpness(rendition.pixels)
    is_sharp = score is not None and score >= (treatment.skip_sharp or 0)
    return Picture(source_file, rendition, dtype, seconds, score if is_sharp else None)


def _recast(job: Job, photo: Photo, treatment: Treatment) -> tuple[Photo, DType]:
    try:
        return recast(photo, treatment.format, treatment.depth, treatment.quality)
    except ValueError as error:
        raise ImageWriteError(
            f"cannot be written: {error}",
            path=job.target,
            remedy="choose another --format or --depth",
        ) from error
