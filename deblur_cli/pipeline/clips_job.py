"""What is wanted of a video."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from deblur_cli.errors import UsageError
from deblur_cli.pipeline.paths import identity, place
from deblur_cli.video.clip import probe
from deblur_cli.video.containers import Container
from deblur_cli.video.encoding import Wish, choose_encoding
from deblur_cli.video.reader import Selection

__all__ = ["ClipJob", "Selection", "Wish"]


@dataclass(frozen=True)
class ClipJob:
    """A video to be restored, and everything that is wanted of the result.

    Args:
        source: the input.
        target: the result.
        wish: how it is encoded.
        selection: the frames that are wanted.
        strength: 0 leaves the pictures as they are, 1 takes the network's result.
        deinterlace: whether interlaced frames are made progressive instead of refused.
        overwrite: whether another file may be replaced by the result.
    """

    source: Path
    target: Path
    wish: Wish = field(default_factory=Wish)
    selection: Selection = field(default_factory=Selection)
    strength: float = 1.0
    deinterlace: bool = False
    overwrite: bool = False

    def check(self) -> None:
        """Refuse what makes no sense before a network is loaded.

        Raises:
            UsageError: the wishes contradict each other or the result's name.
            VideoReadError: the input cannot be decoded or not be restored faithfully.
        """
        container = Container.of(self.target)
        if place(self.source) == place(self.target) or (
            identity(self.source) is not None and identity(self.source) == identity(self.target)
        ):
            raise UsageError(
                "the result would replace its input", path=self.target, remedy="name another file"
            )
        if self.selection.end is not None and self.selection.end <= self.selection.start:
            raise UsageError("--end is not after --start", remedy="give times in seconds")
        clip = probe(self.source, deinterlace=self.deinterlace)
        choose_encoding(clip, container, self.wish)

    @property
    def shortage_of_space(self) -> tuple[str, ...]:
        """A warning if the disk may not hold the work folder and the result.

        Both may grow as large as the input; the output's folder exists.
        """
        needed = 2 * self.source.stat().st_size
        free = shutil.disk_usage(self.target.parent).free
        if free >= needed:
            return ()
        where = self.target.parent
        return (f"{free >> 20} MiB are free at {where}, {needed >> 20} MiB may be needed",)
