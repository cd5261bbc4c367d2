"""The way of one picture, wherever it is worked on: read, restored, shown, written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deblur_cli.imaging.convert import with_depth
from deblur_cli.imaging.photo import Image, Photo
from deblur_cli.imaging.provenance import signed, stripped
from deblur_cli.imaging.write import new_file
from deblur_cli.pipeline.events import LeftSharp, Restored
from deblur_cli.pipeline.formats import same_format
from deblur_cli.pipeline.pictures import Picture, read_picture
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.results import NewFile, put_copy, put_photo
from deblur_cli.pipeline.sheet import write_sheet
from deblur_cli.pipeline.treatment import Conduct, Treatment

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Deblurrer


@dataclass(frozen=True)
class Result:
    """A picture to be written; `pixels` is what became of its rendition."""

    picture: Picture
    pixels: Image
    event: Restored | LeftSharp


@dataclass(frozen=True)
class Restoring:
    """What is done to every picture of a batch, and how.

    Args:
        treatment: what decides the results besides the network.
        conduct: what does not.
    """

    treatment: Treatment
    conduct: Conduct

    def read(self, job: Job) -> Picture:
        """The input; raises as `read_picture`."""
        return read_picture(job, self.treatment, self.conduct.max_pixels)

    def restore(self, job: Job, picture: Picture, device: str, deblurrer: Deblurrer) -> Result:
        """What becomes of the picture on a device; raises what the network raises."""
        rendition = picture.rendition
        if picture.score is not None:
            notes = () if job.in_place or self._copies(job) else rendition.photo.notes
            left = LeftSharp(job.source, job.target, picture.score, notes)
            return Result(picture, rendition.pixels, left)
        started = time.perf_counter()
        restoration = deblurrer.restore(rendition.pixels, strength=self.treatment.strength)
        height, width = restoration.image.shape[:2]
        event = Restored(
            source=job.source,
            target=job.target,
            height=height,
            width=width,
            device=device,
            seconds=time.perf_counter() - started,
            tile=restoration.tile,
            tiles=restoration.tiles,
            redone=restoration.redone,
            kept=restoration.kept,
            warnings=(*rendition.photo.notes, *restoration.warnings),
            read_seconds=picture.seconds,
        )
        return Result(picture, restoration.image, event)

    def show(self, job: Job, result: Result) -> Any:
        """Let others see what the network got and gave; returns what the scout does."""
        before, after = result.picture.rendition.pixels, result.pixels
        if job.sheet is not None:
            write_sheet(job.sheet, before, after)
        if self.conduct.witness is not None and isinstance(result.event, Restored):
            self.conduct.witness(job.source, before, after)
        if self.conduct.scout is not None and isinstance(result.event, Restored):
            return self.conduct.scout(before, after)
        return None

    def put(self, job: Job, result: Result, new: NewFile = new_file) -> Path:
        """Write the result; arguments, what is returned and raised as of `put_photo`."""
        source_file = result.picture.source_file
        if isinstance(result.event, LeftSharp) and self._copies(job):
            return put_copy(job, source_file, new)
        return put_photo(job, self._marked(result), source_file, new)

    def _copies(self, job: Job) -> bool:
        """Whether the result of a sharp picture is the very file."""
        return same_format(job.source.suffix, job.target.suffix) and self.treatment.keeps_file

    def _marked(self, result: Result) -> Photo:
        """The photo with what it shall say of where it comes from."""
        picture = result.picture
        photo = with_depth(picture.rendition.restored(result.pixels), picture.dtype)
        if self.treatment.strip:
            return stripped(photo)
        is_ours = self.conduct.software and isinstance(result.event, Restored)
        return signed(photo, self.conduct.software) if is_ours else photo
