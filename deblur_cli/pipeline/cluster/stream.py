"""Pictures that follow one another, such as the frames of a video, restored on a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deblur_cli.errors import DeviceError, RestoreError
from deblur_cli.imaging.photo import Image
from deblur_cli.pipeline.cluster.crew import LOSSES, Crew, Done, Loss, Task
from deblur_cli.pipeline.cluster.worker import Unmade

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Restoration

_ROUNDS_AHEAD = 3
"""So many pictures for each worker are on the way or wait for one that takes longer."""


@dataclass
class FrameTask(Task):
    """A picture to be restored, and its number."""

    number: int
    image: Image
    strength: float

    @property
    def order(self) -> tuple[str, tuple[Any, ...]]:
        """As `Worker.restore` takes it."""
        return "restore", (self.image, self.strength)


class ClusterDeblurrer:
    """The workers of a crew, used as if they were one `Deblurrer`.

    Args:
        crew: whose networks have equal settings.
    """

    def __init__(self, crew: Crew[FrameTask]) -> None:
        first = crew.first()
        self._crew = crew
        self.settings = first.settings
        self.summary = first.summary
        self.source = first.source
        self.warnings = first.warnings

    def stream(self, images: Iterable[Image], strength: float = 1.0) -> Iterator[Restoration]:
        """Restore one picture after the other, as `Deblurrer.stream`.

        Raises:
            DeblurError: as a worker, when the picture's turn comes; two workers ended over it.
            DeviceError: no worker is left.
        """
        upcoming, is_drained, taken, due = iter(images), False, 0, 0
        done: dict[int, Restoration | Unmade] = {}
        while not is_drained or due < taken:
            self._crew.retry()
            bound = due + _ROUNDS_AHEAD * max(1, len(self._crew.profiles))
            while self._crew.has_room and taken < bound and not is_drained:
                image = next(upcoming, None)
                is_drained = image is None
                if image is not None:
                    self._crew.take(FrameTask(taken, image, strength))
                    taken += 1
            done.update(self._heard())
            while due in done:
                yield _restored(done.pop(due))
                due += 1

    def _heard(self) -> Iterator[tuple[int, Restoration | Unmade]]:
        if self._crew.is_lost:
            raise DeviceError("no worker is left", remedy="the same command resumes")
        for news in self._crew.news():
            if isinstance(news, Done):
                yield news.task.number, news.answer
            elif news.is_final:
                yield news.task.number, Unmade(_set_aside(news))


def _restored(answer: Restoration | Unmade) -> Restoration:
    if isinstance(answer, Unmade):
        raise answer.error
    return answer


def _set_aside(loss: Loss[FrameTask]) -> RestoreError:
    return RestoreError(
        f"{LOSSES} workers ended while they had a frame in hand: {loss.problem}",
        remedy="the same command resumes; without --ray this machine restores it",
    )
