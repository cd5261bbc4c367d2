"""Everything that is decided of a video before its first frame is restored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from deblur_cli.errors import VideoReadError
from deblur_cli.pipeline.clips.events import ClipStarted
from deblur_cli.pipeline.clips.job import ClipJob
from deblur_cli.pipeline.clips.space import shortage_of_space
from deblur_cli.video.clip import Clip
from deblur_cli.video.containers import Container
from deblur_cli.video.encoding import Encoding, choose_encoding
from deblur_cli.video.streams import StreamPlan, plan_streams


@dataclass(frozen=True)
class ClipPlan:
    """A job, its input, and how the result is written.

    Args:
        job: what is wanted.
        clip: the input.
        container: the kind of result.
        encoding: of the pictures.
        streams: what is copied.
    """

    job: ClipJob
    clip: Clip
    container: Container
    encoding: Encoding
    streams: StreamPlan

    @classmethod
    def of(cls, job: ClipJob) -> ClipPlan:
        """The plan of a job; raises as `ClipJob.check`."""
        container = Container.of(job.target)
        clip = job.probe()
        encoding = choose_encoding(clip, container, job.wish)
        return cls(job, clip, container, encoding, plan_streams(clip, container, encoding))

    def settings(self, network: Mapping[str, object]) -> dict[str, object]:
        """What decides the result, with what decides the network's pictures."""
        job = self.job
        wishes = {} if job.skip_sharp is None else {"skip_sharp": job.skip_sharp}
        return {
            **network,
            **wishes,
            **asdict(job.selection),
            **self.encoding.settings,
            "strength": job.strength,
            "deinterlace": job.deinterlace,
            "muxer": self.container.muxer,
            "pictures": job.pictures,
            "rate": str(job.hints.rate),
        }

    @property
    def is_resumable(self) -> bool:
        """Whether the same command goes on where a run stopped."""
        return not (self.clip.is_stream or self.container.is_stream)

    @property
    def frames(self) -> int:
        """Frames of the selection, as far as the headers tell."""
        clip, chosen = self.clip, self.job.selection
        first = round(chosen.start * clip.rate)
        last = clip.frames
        if chosen.end is not None:
            last = min(round(chosen.end * clip.rate), last or round(chosen.end * clip.rate))
        return max(0, last - first) // chosen.every

    def started(self, work: Path | None, done: int) -> ClipStarted:
        """The event that tells of the plan.

        Args:
            work: the folder of what is restored; None for frames to stdout.
            done: frames in it.
        """
        clip, job = self.clip, self.job
        shortage: tuple[str, ...] = ()
        if work is not None:
            shortage = shortage_of_space(job, clip, self.encoding, self.frames)
        return ClipStarted(
            job.source,
            job.target,
            clip.width,
            clip.height,
            self.frames,
            done,
            self.encoding.summary,
            work,
            self.is_resumable,
            (*self.encoding.warnings, *self.streams.warnings, *shortage),
        )

    def shortfall(self, ends: float) -> list[str]:
        """What the headers promise and the input does not hold, which ends at some second."""
        clip, chosen = self.clip, self.job.selection
        if chosen.end is not None or not clip.end:
            return []
        missing = clip.end - ends
        if missing <= 2 * chosen.every / clip.rate:
            return []
        return [f"it ends at {ends:.2f} s, {missing:.2f} s before it should"]

    def nothing_read(self) -> VideoReadError:
        """The error of an input without a single frame that is wanted."""
        return VideoReadError(
            "there is no frame to restore", path=self.job.source, remedy="check --start and --end"
        )
