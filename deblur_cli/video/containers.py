"""Files that hold streams: opening them, and which of them can be written."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deblur_cli.errors import MissingExtraError, UsageError, VideoReadError
from deblur_cli.video.sequences import PictureSequence, is_sequence

if TYPE_CHECKING:
    import av

_MUXERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
_SAYS_IT_WITH_THE_HEADER = "mov"
_TRIAL_SIDE = 64
TIMECODE = "timecode"
"""Metadata that QuickTime's muxer makes a stream of."""
STREAM = Path("-")
"""Stands for raw frames on stdin or stdout."""
RAW = "rawvideo"
"""Muxer, demuxer and encoder of raw frames."""
_PICTURES = "image2"
_PICTURE_ENCODERS = {".png": "png", ".tif": "tiff", ".tiff": "tiff"}
_DEFAULT_ENCODER = "libx264"
_DEFAULT_ENCODERS = {"webm": "libvpx-vp9", RAW: RAW}
_TITLES = {"matroska": "mkv files", _PICTURES: "image sequences", RAW: "raw frames"}
USUAL_RATE = Fraction(25)
"""Frames per second of image sequences and raw frames of which nobody says it."""


def library() -> Any:
    """The module `av`; raises `MissingExtraError` where it is not installed.

    SVT-AV1 tells of its settings on stderr unless its own variable says otherwise.
    """
    os.environ.setdefault("SVT_LOG", "1")
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("deblur video", "video") from error
    return av


def open_input(path: Path, rate: Fraction | None = None) -> av.container.InputContainer:
    """Open a video or an image sequence for reading; raises `VideoReadError`.

    The name is that of a file, whatever colons it holds, and metadata that is no UTF-8 is kept.
    The rate is that of a sequence, which does not say it itself.
    """
    if is_sequence(path):
        pictures = PictureSequence(path)
        options = {"framerate": str(rate or USUAL_RATE), "start_number": str(pictures.first())}
        return _open(path, pictures.url, format=_PICTURES, options=options)
    return _open(path, f"file:{path}", metadata_errors="surrogateescape")


def _open(path: Path, url: str, **how: Any) -> av.container.InputContainer:
    av = library()
    try:
        return av.open(url, **how)
    except (av.FFmpegError, OSError) as error:
        raise VideoReadError(
            f"cannot be read as a video: {reason(error)}",
            path=path,
            remedy="check that it is a complete video file",
        ) from error


def packets_of(
    container: av.container.InputContainer, streams: Any, note: Callable[[str], object]
) -> Iterator[av.packet.Packet]:
    """The packets of some streams, also those behind what cannot be read; `note` is told of it."""
    av = library()
    going_on = True
    while going_on:
        going_on = False
        try:
            for packet in container.demux(streams):
                going_on = True
                yield packet
            return
        except av.FFmpegError as error:
            note(f"a part of the file cannot be read: {reason(error)}")


def reason(error: BaseException) -> str:
    """What a library says went wrong, without its decoration."""
    return str(getattr(error, "strerror", None) or error).strip() or type(error).__name__


@dataclass(frozen=True)
class Container:
    """A kind of file to be written, known by its muxer's name.

    Image sequences and raw frames on stdout are kinds as well.
    """

    muxer: str
    picture_encoder: str = ""
    """The one encoder of an image sequence."""

    @classmethod
    def of(cls, path: Path) -> Container:
        """The kind that a file's name asks for; raises `UsageError`."""
        if path == STREAM:
            return cls(RAW)
        if is_sequence(path):
            return cls._of_pictures(path)
        muxer = _MUXERS.get(path.suffix.lower())
        if muxer is None:
            raise UsageError(
                f"no video is written as '{path.suffix}'",
                path=path,
                remedy=f"name it {', '.join(sorted(_MUXERS))}",
            )
        return cls(muxer)

    @classmethod
    def _of_pictures(cls, path: Path) -> Container:
        encoder = _PICTURE_ENCODERS.get(path.suffix.lower())
        if encoder is None:
            raise UsageError(
                f"no image sequence is written as '{path.suffix}'",
                path=path,
                remedy=f"name it {', '.join(sorted(_PICTURE_ENCODERS))}",
            )
        return cls(_PICTURES, encoder)

    @property
    def is_sequence(self) -> bool:
        """Whether it is many files, one for each picture."""
        return bool(self.picture_encoder)

    @property
    def is_stream(self) -> bool:
        """Whether it is no file at all."""
        return self.muxer == RAW

    @property
    def is_quicktime(self) -> bool:
        """Whether it is MP4 or MOV."""
        return self.muxer in ("mp4", "mov")

    @property
    def keeps_alpha_beside(self) -> bool:
        """Whether it takes transparency that is hidden beside the pictures, as VP9 has it."""
        return self.muxer in ("matroska", "webm")

    @property
    def title(self) -> str:
        """What people call it."""
        return _TITLES.get(self.muxer, f"{self.muxer} files")

    @property
    def default_encoder(self) -> str:
        """The encoder for pictures whose own codec cannot be written."""
        return self.picture_encoder or _DEFAULT_ENCODERS.get(self.muxer, _DEFAULT_ENCODER)

    def takes_encoder(self, encoder: str) -> bool:
        """Whether pictures of an encoder may stand in it."""
        if self.is_sequence or self.is_stream:
            return encoder == self.default_encoder

        def put(trial: av.container.OutputContainer) -> None:
            trial.add_mux_stream(encoder, width=_TRIAL_SIDE, height=_TRIAL_SIDE)
            if self.muxer == _SAYS_IT_WITH_THE_HEADER:
                trial.start_encoding()

        return self._takes(put)

    def takes_stream(self, template: av.stream.Stream) -> bool:
        """Whether a stream can be copied into it; tried with a header in memory.

        QuickTime's timecode needs a frame rate, which PyAV does not copy.
        """
        is_timecode = template.type == "data" and TIMECODE in template.metadata
        if self.is_sequence or self.is_stream or (is_timecode and self.is_quicktime):
            return False

        def put(trial: av.container.OutputContainer) -> None:
            trial.add_stream_from_template(template, opaque=True)
            trial.start_encoding()

        return self._takes(put)

    def _takes(self, put: Callable[[av.container.OutputContainer], None]) -> bool:
        """Whether a container of this kind, in memory, lets something be put into it."""
        av = library()
        trial = av.open(io.BytesIO(), "w", format=self.muxer)
        try:
            put(trial)
        except (ValueError, av.FFmpegError):
            return False
        finally:
            with suppress(av.FFmpegError):
                trial.close()
        return True
