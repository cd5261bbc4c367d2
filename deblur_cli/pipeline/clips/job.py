"""What is wanted of a video."""

from __future__ import annotations

import hashlib
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from deblur_cli.errors import UsageError, VideoReadError
from deblur_cli.pipeline.clips.pictures import size_of
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.paths import identity, place
from deblur_cli.video.clip import Clip, Hints, probe
from deblur_cli.video.containers import STREAM, Container
from deblur_cli.video.encoding import Wish, choose_encoding
from deblur_cli.video.reader import Selection
from deblur_cli.video.sequences import FIRST, PictureSequence, is_sequence
from deblur_cli.video.streams import plan_streams

__all__ = ["STREAM", "ClipJob", "Hints", "Selection", "Wish"]


@dataclass(frozen=True)
class ClipJob:
    """A video to be restored, and everything that is wanted of the result.

    Args:
        source: the input: a file, an image sequence, or `STREAM` for raw frames on stdin.
        target: the result, likewise; `STREAM` for raw frames on stdout.
        wish: how it is encoded.
        selection: the frames that are wanted.
        strength: 0 leaves the pictures as they are, 1 takes the network's result.
        deinterlace: whether interlaced frames are made progressive instead of refused.
        overwrite: whether another file may be replaced by the result.
        hints: what image sequences and raw frames do not say of themselves.
        skip_sharp: frames of this score or more are left as they are, as `sharp.shares` has
            it; None restores all.
    """

    source: Path
    target: Path
    wish: Wish = field(default_factory=Wish)
    selection: Selection = field(default_factory=Selection)
    strength: float = 1.0
    deinterlace: bool = False
    overwrite: bool = False
    hints: Hints = field(default_factory=Hints)
    skip_sharp: float | None = None

    def check(self) -> None:
        """Refuse what makes no sense before a network is loaded.

        Raises:
            UsageError: the wishes contradict each other or the result's name.
            VideoReadError: the input cannot be decoded or not be restored faithfully.
        """
        container = Container.of(self.target)
        if container.is_stream and sys.stdout.isatty():
            raise UsageError(
                "raw frames would be written to a terminal", remedy="redirect stdout to a program"
            )
        if self._would_replace_its_input:
            raise UsageError(
                "the result would replace its input", path=self.target, remedy="name another file"
            )
        if self.selection.end is not None and self.selection.end <= self.selection.start:
            raise UsageError("--end is not after --start", remedy="give times in seconds")
        clip = self.probe()
        plan_streams(clip, container, choose_encoding(clip, container, self.wish))

    def probe(self) -> Clip:
        """Look at the input; raises as `check`."""
        return probe(self.source, deinterlace=self.deinterlace, hints=self.hints)

    @property
    def source_file(self) -> Path:
        """What stands for the input: itself, or the first picture of a sequence."""
        if is_sequence(self.source):
            return PictureSequence(self.source).representative()
        return self.source

    @property
    def target_file(self) -> Path:
        """What stands for the result: itself, or the first picture, which is the last to appear."""
        if is_sequence(self.target):
            return PictureSequence(self.target).picture(self.first_number)
        return self.target

    @property
    def first_number(self) -> int:
        """Of the pictures that are written: as in the input, if that is a sequence."""
        return PictureSequence(self.source).first() if is_sequence(self.source) else FIRST

    @property
    def fingerprint(self) -> Fingerprint:
        """Of the input; frames from stdin never come twice."""
        if self.source == STREAM:
            return Fingerprint(0, time.time_ns())
        return Fingerprint.of(self.source_file)

    def require_unchanged(self, seen: Fingerprint) -> None:
        """Make sure that the input is the version whose fingerprint this is.

        Raises:
            VideoReadError: it is another one.
            ImageReadError: it cannot be seen any more.
        """
        if self.source != STREAM and self.fingerprint != seen:
            raise VideoReadError(
                "it has changed meanwhile",
                path=self.source,
                remedy="the same command begins anew",
            )

    @property
    def pictures(self) -> str:
        """What tells apart image sequences whose first picture is the same; else empty."""
        if not is_sequence(self.source):
            return ""
        sequence = PictureSequence(self.source)
        files = [Fingerprint.of(sequence.picture(number)) for number in sequence.numbers()]
        return hashlib.sha256(repr(files).encode()).hexdigest()

    @property
    def _would_replace_its_input(self) -> bool:
        if STREAM in (self.source, self.target):
            return False
        source, target = self.source_file, self.target_file
        same = identity(source) is not None and identity(source) == identity(target)
        return place(source) == place(target) or same

    @property
    def source_bytes(self) -> int:
        """Of the input; 0 for frames from stdin."""
        return 0 if self.source == STREAM else size_of(self.source)
