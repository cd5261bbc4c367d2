"""One line of the table: how a picture ended, and its scores."""

from __future__ import annotations

from dataclasses import dataclass

from deblur_cli.pipeline.events import AlreadyDone, Event, Failed, LeftSharp, Restored
from deblur_cli.reporting.views import Scores

_OUTCOMES = {
    Restored: "restored",
    LeftSharp: "left sharp",
    AlreadyDone: "already done",
    Failed: "failed",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A picture of the batch; it has scores if it was seen before and after."""

    event: Event
    scores: Scores | None = None

    @property
    def outcome(self) -> str:
        """How it ended, in a word or two."""
        return _OUTCOMES[type(self.event)]

    @property
    def sharpness(self) -> float | None:
        """Of the input, if it is known."""
        if isinstance(self.event, LeftSharp):
            return self.event.score
        return self.scores.before if self.scores else None

    @property
    def note(self) -> str:
        """What is to be said of it besides."""
        match self.event:
            case Failed(error=error):
                return error.problem
            case Restored(warnings=warnings) | LeftSharp(warnings=warnings):
                return "; ".join(warnings)
            case _:
                return ""
