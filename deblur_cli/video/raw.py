"""Raw frames on stdin, as FFmpeg's `rawvideo`: samples and nothing else."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from deblur_cli.errors import UsageError, VideoReadError
from deblur_cli.video.containers import RAW, library, reason

if TYPE_CHECKING:
    import av


@dataclass(frozen=True)
class _Forward:
    """A stream that is only read, and not asked whether it is a file that could be searched."""

    stream: BinaryIO

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end."""
        return self.stream.read(size)


@dataclass(frozen=True)
class RawFormat:
    """What raw frames do not say of themselves."""

    width: int
    height: int
    pix_fmt: str
    rate: Fraction

    def check(self) -> None:
        """Raise `UsageError` if there are no such samples."""
        try:
            library().VideoFormat(self.pix_fmt, self.width, self.height)
        except ValueError as error:
            raise UsageError(
                f"there is no pixel format called '{self.pix_fmt}'",
                remedy="such as yuv420p, rgb24 or rgb48le",
            ) from error

    def open(self) -> av.container.InputContainer:
        """Frames from stdin, until it ends."""
        av = library()
        options = {
            "video_size": f"{self.width}x{self.height}",
            "pixel_format": self.pix_fmt,
            "framerate": str(self.rate),
        }
        try:
            return av.open(_Forward(sys.stdin.buffer), format=RAW, options=options)
        except (av.FFmpegError, OSError) as error:
            raise VideoReadError(
                f"no raw frames can be read: {reason(error)}", path=Path("standard input")
            ) from error
