"""A clip that shows a video before and after, side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deblur_cli.errors import UsageError, VideoWriteError
from deblur_cli.pipeline.clips.events import ClipAlreadyDone, ClipCompared
from deblur_cli.pipeline.clips.job import ClipJob
from deblur_cli.pipeline.clips.work import WorkFolder
from deblur_cli.pipeline.ledger.ledger import Ledger, settings_hash
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.ledger.verdict import Verdict
from deblur_cli.pipeline.paths import place
from deblur_cli.pipeline.problems import require_folder
from deblur_cli.video.assembly import Assembly
from deblur_cli.video.clip import Clip, Hints, probe
from deblur_cli.video.colour import Image, painted, to_rgb
from deblur_cli.video.containers import STREAM, Container
from deblur_cli.video.encoding import Wish, choose_encoding
from deblur_cli.video.reader import Frame, Reader
from deblur_cli.video.segments import Segment, SegmentWriter
from deblur_cli.video.sequences import is_sequence
from deblur_cli.video.streams import plan_streams
from deblur_cli.video.verification import verify


@dataclass(frozen=True)
class Comparison:
    """The input of a job at the left, its finished result at the right, all else as in the result.

    Args:
        job: which is done when this one runs.
        path: of the clip that shows both.
    """

    job: ClipJob
    path: Path

    def check(self) -> None:
        """Refuse what makes no sense before any work is done; raises `UsageError`."""
        job, path = self.job, self.path
        if STREAM in (job.source, job.target):
            raise UsageError("--compare needs files, and - is none", remedy="leave one of them out")
        if Container.of(path).is_sequence or path == STREAM:
            raise UsageError("--compare writes one file", path=path, remedy="name it .mp4 or .mkv")
        if place(path) in (place(job.source), place(job.target)):
            raise UsageError("--compare would replace it", path=path, remedy="name another file")

    def run(self, stop: threading.Event) -> Iterator[ClipCompared | ClipAlreadyDone]:
        """Make the clip, if it is not there; nothing if `stop` is set meanwhile.

        Raises:
            VideoReadError: input or result cannot be read.
            VideoWriteError: the clip cannot be written, or another file stands there.
        """
        require_folder(self.path.parent, remedy="choose another place for the clip")
        with closing(Ledger(self.path.parent)) as ledger:
            result = self.job.target_file
            verdict = ledger.verdict(result, self.path, settings_hash({}))
            if verdict is Verdict.DONE:
                yield ClipAlreadyDone(self.job.source, self.path, ())
                return
            if verdict is Verdict.IN_THE_WAY and not self.job.overwrite:
                raise VideoWriteError(
                    "another file stands there", path=self.path, remedy="--overwrite replaces it"
                )
            fingerprint = Fingerprint.of(result)
            work = WorkFolder.beside(self.path, settings_hash({"compared": self.path.name}))
            work.open({"compared": str(place(self.path))})
            frames = self._make(work, stop)
            if frames:
                begun = ledger.begin(result, fingerprint, self.path, settings_hash({}))
                work.hand_over(self.path)
                ledger.finish(begun, self.path)
                yield ClipCompared(self.path, frames, self.path.stat().st_size)
            work.remove()

    def _make(self, work: WorkFolder, stop: threading.Event) -> int:
        """Frames of the clip, which lies in the work folder; 0 if it was stopped."""
        job = self.job
        before = job.probe()
        hints = Hints(before.rate) if is_sequence(job.target) else Hints()
        wide = _doubled(before)
        container = Container.of(self.path)
        encoding = choose_encoding(wide, container, Wish())
        file = work.path / "both"
        writer = SegmentWriter(file, wide, encoding)
        left = Reader(before, job.selection, job.deinterlace).frames()
        right = Reader(probe(job.target, hints=hints)).frames()
        for old, new in zip(left, right, strict=False):
            if stop.is_set():
                return 0
            picture = _side_by_side(old, new, before)
            writer.add(old, painted(picture, old.picture, encoding.pix_fmt))
        segment: Segment = writer.close()
        plan = plan_streams(wide, container, encoding)
        parts = [(file, segment)]
        made = work.result(self.path)
        index = Assembly(wide, container, encoding, parts, job.selection, plan).write(made)
        seconds = float((segment.pts[-1] - segment.pts[0]) * before.time_base)
        verify(made, index, len(segment.pts), seconds)
        return len(segment.pts)


def _doubled(clip: Clip) -> Clip:
    if _lies_across(clip):
        return replace(clip, height=2 * clip.height)
    return replace(clip, width=2 * clip.width)


def _side_by_side(old: Frame, new: Frame, clip: Clip) -> Image:
    """Both pictures, stored so that the old one is shown at the left."""
    import cv2

    pictures: list[Image] = [to_rgb(frame.picture) for frame in (old, new)]
    deepest = max(picture.itemsize for picture in pictures)
    pictures = [
        picture if picture.itemsize == deepest else picture.astype(np.uint16) * np.uint16(257)
        for picture in pictures
    ]
    if clip.display_matrix is not None:
        along, across = clip.display_matrix[0], clip.display_matrix[3]
        if (across if _lies_across(clip) else along) < 0:
            pictures.reverse()
    both: Image = cv2.vconcat(pictures) if _lies_across(clip) else cv2.hconcat(pictures)
    return both


def _lies_across(clip: Clip) -> bool:
    """Whether its lines are shown as columns."""
    matrix = clip.display_matrix
    return matrix is not None and abs(matrix[3]) > abs(matrix[0])
