"""Raw frames to stdout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.errors import VideoWriteError
from deblur_cli.video.containers import RAW, library
from deblur_cli.video.encoding import Encoding, configure

if TYPE_CHECKING:
    import av

    from deblur_cli.video.clip import Clip
    from deblur_cli.video.reader import Frame


class RawRecorder:
    """Writes frames to stdout as they come; nothing of them can be taken back or resumed."""

    saved = 0
    """Frames that an interruption would not lose."""

    def __init__(self, clip: Clip, encoding: Encoding) -> None:
        self.frames = 0
        self.left_alone = 0
        """Frames that are as they were."""
        self.bytes = 0
        self.end = 0.0
        """When the last frame is over, in seconds of the clip."""
        self._unit = clip.time_base
        self._encoder = library().CodecContext.create(RAW, "w")
        configure(self._encoder, encoding, clip)

    def add(
        self, frame: Frame, picture: av.video.frame.VideoFrame, left_alone: bool = False
    ) -> None:
        """Write what is to be seen in a frame's place; raises `VideoWriteError`."""
        picture.pts = self.frames
        self._encode(picture)
        self.frames += 1
        self.left_alone += left_alone
        self.end = float((frame.pts + frame.duration) * self._unit)

    def finish(self) -> None:
        """Write what is still waiting; raises `VideoWriteError`."""
        self._encode(None)

    def _encode(self, picture: av.video.frame.VideoFrame | None) -> None:
        for packet in self._encoder.encode(picture):
            self._write(bytes(packet))

    def _write(self, samples: bytes) -> None:
        try:
            sys.stdout.buffer.write(samples)
            sys.stdout.buffer.flush()
        except OSError as error:
            raise VideoWriteError(
                f"frames cannot be written: {error.strerror}", path=Path("standard output")
            ) from error
        self.bytes += len(samples)
