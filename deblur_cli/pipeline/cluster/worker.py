"""What runs on a cluster: a process that restores pictures, and what it tells the one it works for.

Nothing here knows of Ray: a worker is an object whose methods are called from elsewhere.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deblur_cli.errors import DeblurError, ImageReadError
from deblur_cli.imaging.atomic import adopt
from deblur_cli.imaging.photo import Image
from deblur_cli.imaging.write import new_draft
from deblur_cli.pipeline.clips.events import Shares
from deblur_cli.pipeline.clips.gaps import Part
from deblur_cli.pipeline.clips.plan import ClipPlan
from deblur_cli.pipeline.clips.restorers import passage_of, reader_of
from deblur_cli.pipeline.clips.work import Recorder, WorkFolder
from deblur_cli.pipeline.events import LeftSharp, Restored
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.pictures import Picture
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.problems import (
    described,
    means_loss,
    require_folder,
    says_disk_full,
)
from deblur_cli.pipeline.restoring import Restoring, Result

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Deblurrer, Restoration

Loader = Callable[[str, bytes], "Deblurrer"]
"""Makes the deblurrer for a device from a file of weights; can be pickled."""


@dataclass(frozen=True)
class Place:
    """Where a worker is, as Ray says: its node's id, and the numbers of its GPUs there."""

    node: str
    gpus: tuple[str, ...]


@dataclass(frozen=True)
class Master:
    """The process that a worker works for: where relative paths start, whose files it makes."""

    folder: Path
    owner: str


@dataclass(frozen=True)
class Profile:
    """A worker that is ready, with the face of its deblurrer."""

    place: Place
    name: str
    settings: dict[str, str | int | float]
    summary: str
    source: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Made:
    """A picture is restored; its result waits for its name, if it is a new file.

    Attributes:
        event: how it ended.
        source_file: the version of the input.
        draft: the result.
        seen: what the scout returned.
    """

    event: Restored | LeftSharp
    source_file: Fingerprint
    draft: Path | None
    seen: Any = None


@dataclass(frozen=True)
class Unmade:
    """Something cannot be done here; and whether that is because the disk is full."""

    error: DeblurError
    is_disk_full: bool = False


@dataclass(frozen=True)
class Blind:
    """A worker and its master see different things at a path: the drive is not mounted there."""

    path: Path


@dataclass(frozen=True)
class Ended:
    """A worker is no more, or its device does not work; why, as far as it is known."""

    problem: str


Answer = Made | Unmade | Blind | Ended


@dataclass(frozen=True)
class PartMade:
    """A part of a clip is restored, or as much of it as there was time for.

    Attributes:
        records: of its segments.
        shares: how long each stage has worked.
        problems: what of the clip could not be read.
        warnings: what the user should know of its frames.
    """

    records: tuple[Path, ...]
    shares: Shares
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


PartAnswer = PartMade | Unmade | Blind | Ended


class Worker:
    """Restores pictures one by one on its device; reads and writes others at the same time.

    Args:
        place: where it is.
        master: whom it works for.
    """

    def __init__(self, place: Place, master: Master) -> None:
        self._place = place
        self._device = "cuda" if place.gpus else "cpu"
        gpu = f"cuda:{place.gpus[0]}" if place.gpus else "cpu"
        self._name = f"{platform.node()}/{gpu}/{os.getpid()}"
        self._master = master
        self._deblurrer: Deblurrer | None = None
        self._restores = threading.Lock()
        self._halted = threading.Event()

    def start(self, load: Loader, weights: bytes) -> Profile | Unmade:
        """Load the network, if it can be loaded here."""
        adopt(self._master.owner)
        with suppress(OSError):  # without it relative paths are not found, which is told then
            os.chdir(self._master.folder)
        try:
            loaded = self._deblurrer = load(self._device, weights)
        except DeblurError as error:
            return Unmade(error)
        return Profile(
            self._place, self._name, loaded.settings, loaded.summary, loaded.source, loaded.warnings
        )

    def make(self, job: Job, seen: Fingerprint, restoring: Restoring) -> Answer:
        """Restore one picture.

        Args:
            job: what is to be done.
            seen: the input as the master sees it.
            restoring: how.
        """
        if not _sees(job.source, seen):
            return Blind(job.source)
        try:
            return self._make(job, restoring)
        except _LostError as lost:
            return Ended(str(lost))
        except Exception as error:
            return Unmade(described(error, job.source), says_disk_full(error))

    def restore(self, image: Image, strength: float) -> Restoration | Unmade | Ended:
        """Restore a picture that comes with the call; arguments as of `Deblurrer.restore`."""
        assert self._deblurrer is not None
        try:
            with self._restores:
                return self._deblurrer.restore(image, strength)
        except Exception as error:
            if means_loss(error, self._device):
                return Ended(_first_line(error))
            return Unmade(described(error, Path("a frame")))

    def restore_part(
        self, plan: ClipPlan, seen: Fingerprint, work: WorkFolder, part: Part
    ) -> PartAnswer:
        """Restore a part of a clip into its work folder.

        Args:
            plan: of the clip.
            seen: the clip's file as the master sees it.
            work: where segments go.
            part: of the clip.
        """
        if not _sees(plan.job.source_file, seen):
            return Blind(plan.job.source_file)
        if not work.manifest.exists():
            return Blind(work.path)
        try:
            return self._restore_part(plan, work, part)
        except Exception as error:
            if means_loss(error, self._device):
                return Ended(_first_line(error))
            return Unmade(described(error, plan.job.source), says_disk_full(error))

    def halt(self) -> None:
        """End parts after the frames in hand."""
        self._halted.set()

    def _restore_part(self, plan: ClipPlan, work: WorkFolder, part: Part) -> PartMade:
        assert self._deblurrer is not None
        reader, passage = reader_of(plan, ()), passage_of(plan, self._deblurrer)
        recorder = Recorder(work, plan.clip, plan.encoding, reader.problems, part.gap.after)
        frames = reader.frames(part.start, part.last)
        warnings: dict[str, None] = {}
        for passed in passage.run(frames, part.gap, recorder, self._halted):
            warnings |= dict.fromkeys(passed.warnings)
        return PartMade(
            tuple(recorder.records), passage.shares, tuple(reader.problems), tuple(warnings)
        )

    def _make(self, job: Job, restoring: Restoring) -> Made:
        picture = restoring.read(job)
        result = self._restored(job, restoring, picture)
        if isinstance(result.event, LeftSharp) and job.in_place:
            return Made(result.event, picture.source_file, None)
        require_folder(job.target.parent)
        seen = restoring.show(job, result)
        started = time.perf_counter()
        draft = restoring.put(job, result, new_draft)
        event = result.event
        if isinstance(event, Restored):
            event = replace(event, write_seconds=time.perf_counter() - started)
        return Made(event, picture.source_file, draft, seen)

    def _restored(self, job: Job, restoring: Restoring, picture: Picture) -> Result:
        assert self._deblurrer is not None
        with self._restores:
            try:
                return restoring.restore(job, picture, self._name, self._deblurrer)
            except Exception as error:
                if means_loss(error, self._device):
                    raise _LostError(_first_line(error)) from error
                raise


class _LostError(Exception):
    """The device will not work again."""


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _sees(path: Path, seen: Fingerprint) -> bool:
    try:
        return Fingerprint.of(path) == seen
    except ImageReadError:
        return False
